"""The phone's side of replication, as decisions over values (protocol section 9).

A phone stores canonical bodies and never merges: these functions say what a page changes, what
a reply settles, and what to show while work is still waiting to be sent. Storing is the
client's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync.canonical import digest_of, record_body, record_hash
from sync.exchange import BucketPage, Item, SyncReply, WireOutcome
from sync.lifecycle import RANKS, acts_of
from sync.mutation import Mutation
from sync.outcome import Code, Outcome

# What was set aside because an identity is over; a new one takes it along. `DEVICE_REVOKED` is
# not among them: there the owner is known and the right is not, and a person decides.
IDENTITY_CODES = frozenset({Code.REUSED_N, Code.STALE_LEASE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One record as a phone stores it: canonical body and the hash of exactly those bytes."""

    record: str
    bucket: str
    kind: str
    rev: int
    hash: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """How far a replica has followed one bucket. Epoch 0, seq 0: nothing of it is held."""

    id: str
    epoch: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PageEffect:
    """What to store for one page, in this order.

    `restart`: first mark everything held of the bucket as unseen. `put`: store each, seen.
    `gone`: forget each if it is still held in this bucket. `finish`: forget what is still
    unseen. `damaged`: records whose bytes do not give the hash the server named; they are not
    stored, so the digest will differ and the bucket is to be fetched again.
    """

    followed: Followed
    restart: bool
    put: tuple[Held, ...]
    gone: tuple[str, ...]
    damaged: tuple[str, ...]
    finish: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What a reply says about the outbox.

    `final` are the outcomes that end a mutation's waiting. `offer_again` are mutations that
    were settled once but that the server no longer has: they must be sent again.
    `identity_doubtful` says the device must enrol anew and carry its outbox over.
    """

    final: tuple[WireOutcome, ...]
    offer_again: tuple[int, ...]
    identity_doubtful: bool


def held_from(item: Item, bucket: str) -> Held | None:
    """Return the record to store for `item`, or None if its bytes do not give its hash."""
    try:
        body = record_body(item.record, item.kind, item.rev, dict(item.state))
    except ValueError:
        return None
    if record_hash(body) != item.hash:
        return None
    return Held(
        record=item.record,
        bucket=bucket,
        kind=item.kind,
        rev=item.rev,
        hash=item.hash,
        body=body,
    )


def page_effect(page: BucketPage, followed: Followed | None) -> PageEffect | None:
    """Return what one page changes, or None if it does not follow on from what is held.

    A page follows on if it starts where the replica stands, or starts the bucket anew. A bucket
    that is not followed is not for this replica.
    """
    if followed is None:
        return None
    restart = page.reset or page.from_seq == 0
    if not restart and (page.epoch, page.from_seq) != (followed.epoch, followed.seq):
        return None
    put = tuple((item.record, held_from(item, page.id)) for item in page.put)
    return PageEffect(
        followed=Followed(id=page.id, epoch=page.epoch, seq=page.seq),
        restart=restart,
        put=tuple(held for _, held in put if held is not None),
        gone=tuple(gone.record for gone in page.gone),
        damaged=tuple(record for record, held in put if held is None),
        finish=not page.more,
    )


def digest_of_bodies(bodies: Iterable[bytes]) -> str:
    """Return the digest of a bucket computed from the stored bytes themselves."""
    return digest_of(record_hash(body) for body in bodies)


def settlement(
    reply: SyncReply,
    *,
    sent: Sequence[tuple[int, str]],
    settled: Iterable[int],
    incarnation: str | None,
) -> Settlement:
    """Return what `reply` says about the mutations of its request and those settled before.

    `sent` are the `(n, record)` of the request in order, `settled` every n the replica still
    keeps as settled, `incarnation` the server's as last known. A sent mutation is final when
    its outcome is listed and not `retry`, or when it is not listed and the server's sequence
    has passed it: then it was applied. Only a new incarnation makes settled mutations be
    offered again (a server restored from a backup has lost the latest of them).
    """
    listed = {outcome.n: outcome for outcome in reply.outcomes}
    final = []
    for n, record in sent:
        outcome = listed.get(n)
        if outcome is None and n <= reply.settled_through:
            outcome = WireOutcome(n=n, outcome=Outcome.APPLIED, record=record)
        if outcome is not None and outcome.outcome is not Outcome.RETRY:
            final.append(outcome)
    renewed = incarnation is not None and incarnation != reply.incarnation
    lost = sorted(n for n in settled if renewed and n > reply.settled_through)
    return Settlement(
        final=tuple(final),
        offer_again=tuple(lost),
        identity_doubtful=any(each.code in IDENTITY_CODES for each in final),
    )


def is_past(kind: str, state: Mapping[str, Any], now_ms: int) -> bool:
    """Say whether a phone must stop showing a record that it still holds.

    `now_ms` is its best knowledge of the time. Only an announcement has such a date.
    """
    return kind == "announcement" and state.get("valid_until_ms", now_ms + 1) <= now_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the phone shows of one record: the server's state under the work not yet confirmed.

    `rev` is the revision an author who edits it now was looking at, 0 for a record that exists
    on this phone only. `pending` are the n whose effect the server has not sent back.
    """

    record: str
    kind: str
    rev: int
    state: Mapping[str, Any]
    pending: tuple[int, ...] = field(default=())


def shown_record(
    held: Held | None,
    state: Mapping[str, Any] | None,
    overlay: Sequence[Mutation],
    *,
    created_here: bool,
) -> Shown | None:
    """Return what to show for a record, or None if there is nothing to show.

    `state` is the parsed state of `held`, `overlay` the mutations of the record in n order
    whose effect has not arrived yet, `created_here` whether the first of them creates it. A
    record that the replica no longer holds is not brought back by edits to it.
    """
    if held is None and not created_here:
        return None
    shown = dict(state or {})
    for mutation in overlay:
        _lay(shown, mutation)
    return Shown(
        record=held.record if held is not None else overlay[0].record,
        kind=held.kind if held is not None else overlay[0].kind,
        rev=held.rev if held is not None else 0,
        state=shown,
        pending=tuple(mutation.n for mutation in overlay),
    )


def _lay(shown: dict[str, Any], mutation: Mutation) -> None:
    for name, value in mutation.set.items():
        if value is None:
            shown.pop(name, None)
        else:
            shown[name] = value
    for name in (*mutation.add, *mutation.remove):
        present = {*shown.pop(name, ()), *mutation.add.get(name, ())}
        present -= {*mutation.remove.get(name, ())}
        if present:
            shown[name] = sorted(present)
    if mutation.act is not None:
        _lay_claim(shown, mutation.kind, mutation.act)
    if mutation.position is not None and mutation.base == 0:
        shown["lon_e7"] = mutation.position.lon_e7
        shown["lat_e7"] = mutation.position.lat_e7


def _lay_claim(shown: dict[str, Any], kind: str, act: str) -> None:
    """Show the state a claim asks for unless the record is further on already."""
    declared = acts_of(kind).get(act)
    if declared is None or declared.claims is None:
        return
    ranks = RANKS[kind]
    if ranks[declared.claims] > ranks.get(shown.get("status", ""), 0):
        shown["status"] = declared.claims
