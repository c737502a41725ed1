"""The outbox of a phone: numbering work, writing it down, and choosing what to send."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, islice
from typing import Any

from clients.phone.store import OutboxRow, Store
from sync.canonical import canonical
from sync.exchange import Limits
from sync.groups import runs
from sync.mutation import EMPTY, ClockReading, Malformed, Mutation, Position
from sync.replica import IDENTITY_CODES
from sync.wire import decode_mutation, sealed

ENVELOPE_BYTES = 40_000
# The setting that stands while only a new identity can send what waits or was set aside.
DOUBTFUL = "doubtful"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What an author asks for, before it has a number."""

    record: str
    kind: str
    base: int
    clock: ClockReading
    set: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    add: Mapping[str, Sequence[str]] = field(default_factory=lambda: EMPTY)
    remove: Mapping[str, Sequence[str]] = field(default_factory=lambda: EMPTY)
    act: str | None = None
    args: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    position: Position | None = None
    creates: bool = False
    group: str | None = None


def write_down(store: Store, work: Work) -> int:
    """Give `work` the next n and put it into the outbox; call inside a transaction.

    Raises:
        ValueError: if it is nothing the protocol can carry, such as a value with a fraction.
    """
    n = int(store.setting("last_n") or 0) + 1
    mutation = sealed(
        Mutation(
            n=n,
            record=work.record,
            kind=work.kind,
            base=work.base,
            body=b"",
            clock=work.clock,
            set=dict(work.set),
            add={name: tuple(values) for name, values in work.add.items()},
            remove={name: tuple(values) for name, values in work.remove.items()},
            act=work.act,
            args=dict(work.args),
            position=work.position,
            actor=store.setting("actor"),
            group=work.group,
        )
    )
    read_back = decode_mutation(json.loads(mutation.body))
    if isinstance(read_back, Malformed):
        name = read_back.field or "the mutation"
        raise ValueError(f"{name} cannot be carried")  # noqa: TRY004 - a value, not a type
    store.keep_setting("last_n", n)
    store.add(
        OutboxRow(
            n=n,
            record=work.record,
            kind=work.kind,
            body=mutation.body,
            creates=work.creates,
        )
    )
    return n


def as_mutation(row: OutboxRow) -> Mutation:
    """Return the mutation an outbox row holds; only readable ones are ever written."""
    mutation = decode_mutation(json.loads(row.body))
    if isinstance(mutation, Malformed):
        raise TypeError("the outbox holds a body that was not written by this phone")
    return mutation


def is_between_identities(store: Store) -> bool:
    """Say whether the outbox still has the numbers of an identity that is over."""
    return store.setting("former") is not None


def last_n(store: Store) -> int:
    """Return the highest n the current identity ever gave out."""
    return 0 if is_between_identities(store) else int(store.setting("last_n") or 0)


def next_batch(store: Store, *, limits: Limits, batch_max: int) -> list[OutboxRow]:
    """Return the waiting mutations to send next: the lowest n, within count and bytes.

    A group is sent whole, also if it is larger than `batch_max`; one that no request could
    carry is cut, and the server holds the rest of it. A new identity sends none with its first
    request: only the reply tells what to carry over.
    """
    batch: list[OutboxRow] = []
    if is_between_identities(store):
        return batch
    room, places = limits.bytes - ENVELOPE_BYTES, min(limits.mutations, batch_max)
    for run in _runs(store.waiting(limit=limits.mutations + 1)):
        room -= sum(len(row.body) + 1 for row in run)
        places -= len(run)
        if batch and (room < 0 or places < 0):
            break
        batch.extend(run)
    return _that_fit(batch, limits)


def _that_fit(batch: Sequence[OutboxRow], limits: Limits) -> list[OutboxRow]:
    """Return the first rows of a batch that one request can carry, at least one."""
    ends = accumulate(len(row.body) + 1 for row in batch)
    fitting = sum(1 for end in ends if end <= limits.bytes - ENVELOPE_BYTES)
    return list(batch[: min(max(fitting, 1), limits.mutations)])


def _runs(rows: Sequence[OutboxRow]) -> list[list[OutboxRow]]:
    """Return the rows cut into groups and single mutations, as the server will cut them."""
    following = iter(rows)
    cut = runs([as_mutation(row) for row in rows])
    return [list(islice(following, len(run))) for run in cut]


def carry_over(store: Store, *, settled_too: bool) -> None:
    """Number the outbox anew from 1 for a new identity; nothing in it is dropped.

    With `settled_too` also what the old identity had settled: a server restored from a backup
    may have lost it, and knows nothing of the new identity. What identities before it had
    settled goes first then, or if `offer_former` noted it.
    """
    rows = store.take_outbox(sorted(IDENTITY_CODES), settled_too=settled_too)
    if settled_too or must_offer_former(store):
        rows = [*store.take_former(), *rows]
    for n, row in enumerate(rows, 1):
        store.add(replace(row, n=n, body=canonical(json.loads(row.body) | {"n": n})))
    store.keep_setting("last_n", len(rows))
    store.keep_setting("former", None)
    store.keep_setting("offer_former", None)


def offer_former(store: Store) -> None:
    """Note that the server went back, and may have lost what earlier identities had settled.

    The present identity cannot offer it: its own numbers are later, and an author's values must
    arrive in the order of their making. The next identity does.
    """
    if store.has_former():
        store.keep_setting("offer_former", 1)


def must_offer_former(store: Store) -> bool:
    """Say whether a new identity is needed to offer what earlier ones had settled."""
    return store.setting("offer_former") is not None
