"""Bugs planted on purpose: what a tired engineer could write. The simulator must find each.

A bug replaces one function of the rules, the phone or the model server while a run lasts. It
is a change of behaviour that a reviewer could miss, not a crash.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import sync.alias
import sync.claims
import sync.clock
import sync.decide
import sync.edits
import sync.push
from clients.phone import rounds as client
from clients.phone.outbox import Work, write_down
from clients.phone.phone import Phone
from clients.phone.rounds import Rounds
from clients.phone.store import Store
from sync.lifecycle import Claimed, advance
from sync.merge import head_of
from sync.outcome import Code, Outcome
from sync.record import Cell
from sync.sheet import Verdict
from tests.simulation import model
from tests.simulation.files import Files
from tests.simulation.model import ModelServer


@dataclass(frozen=True, slots=True)
class PlantedBug:
    """One bug: `within` is how many seeds the simulator may take to find it."""

    name: str
    says: str
    plant: Callable[[], AbstractContextManager[None]]
    within: int


BUGS: dict[str, PlantedBug] = {}


def _bug(
    owner: Any, attribute: str, says: str, *, within: int = 60
) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Register a bug: the function under it gets the right behaviour and returns the wrong."""

    def register(spoil: Callable[[Any], Any]) -> Callable[[Any], Any]:
        @contextmanager
        def plant() -> Iterator[None]:
            right = getattr(owner, attribute)
            setattr(owner, attribute, spoil(right))
            try:
                yield
            finally:
                setattr(owner, attribute, right)

        name = spoil.__name__.strip("_").replace("_", "-")
        BUGS[name] = PlantedBug(name, says, plant, within)
        return spoil

    return register


# the phone


@_bug(Store, "apply", "the cursor is durable before the records of its page")
def _cursor_before_data(apply):
    def wrong(store, page, effect):
        store._db.execute(
            "UPDATE bucket SET epoch = ?, seq = ?, digest = ?, complete = ? WHERE id = ?",
            (page.epoch, page.seq, page.digest, effect.finish, page.id),
        )
        store._db.execute("COMMIT")
        store._db.execute("BEGIN IMMEDIATE")
        return apply(store, page, effect)

    return wrong


@_bug(Store, "purge", "a bucket that must be left is kept")
def _leave_ignored(_):
    return lambda _store, _buckets: 0


@_bug(Store, "rewind", "starting a bucket anew empties the outbox")
def _reset_discards_outbox(rewind):
    def wrong(store, bucket=None):
        store._db.execute("DELETE FROM mutation WHERE outcome IS NULL")
        rewind(store, bucket)

    return wrong


@_bug(Store, "lift_overlay", "work that has arrived stays laid over the replica")
def _overlay_not_lifted(_):
    return lambda _store: None


@_bug(Rounds, "_apply_pages", "outcomes are durable and lifted before the records of the reply")
def _settled_before_data(apply_pages):
    def wrong(rounds, reply, tally):
        rounds._store.lift_overlay()
        rounds._store._db.execute("COMMIT")
        rounds._store._db.execute("BEGIN IMMEDIATE")
        apply_pages(rounds, reply, tally)

    return wrong


@_bug(client, "page_effect", "records that left a bucket are not forgotten")
def _tombstone_skipped(page_effect):
    def wrong(page, followed):
        effect = page_effect(page, followed)
        return None if effect is None else replace(effect, gone=())

    return wrong


@_bug(client, "settlement", "a mutation answered `retry` counts as settled")
def _retry_is_final(settlement):
    def wrong(reply, **rest):
        said = settlement(reply, **rest)
        retried = tuple(each for each in reply.outcomes if each.outcome is Outcome.RETRY)
        return replace(said, final=(*said.final, *retried))

    return wrong


@_bug(client, "settlement", "what a restored server has lost is not offered again")
def _restore_forgets(settlement):
    return lambda reply, **rest: replace(settlement(reply, **rest), offer_again=())


@_bug(Phone, "_write", "the number is durable before the mutation that has it")
def _number_before_body(_):
    def wrong(phone: Phone, work: Work) -> int:
        store = phone._store
        n = int(store.setting("last_n") or 0) + 1
        store.keep_setting("last_n", n)
        with store.transaction():
            store.keep_setting("last_n", n - 1)
            return write_down(store, work)

    return wrong


@_bug(client, "carry_over", "a new identity starts with an empty outbox")
def _new_identity_drops(carry_over):
    def wrong(store, *, settled_too):
        store._db.execute("DELETE FROM mutation WHERE outcome IS NULL")
        carry_over(store, settled_too=settled_too)

    return wrong


# the rules


@_bug(sync.push._Planning, "_replay", "a mutation that comes again is decided again")
def _dedupe_off(replay):
    def wrong(planning, item, body_hash):
        known = planning.known.settled.get(item.n)
        if known is None or known.body_hash != body_hash:
            return replay(planning, item, body_hash)
        through = planning.through
        answer = planning._settle(item, body_hash)
        planning.through = through
        del planning.settled[item.n]
        return answer

    return wrong


@_bug(
    sync.claims, "claim", "a claim sets the state even if a higher one was reached", within=120
)
def _status_may_fall(claim):
    def wrong(ranks, status, state, credit):
        claimed = claim(ranks, status, state, credit)
        if ranks[state] < ranks[status.state]:
            return Claimed(status=advance(status, state, credit), code=None)
        return claimed

    return wrong


@_bug(sync.edits, "accept", "the last to arrive wins, whatever its author had seen")
def _last_writer_wins(accept):
    def wrong(cell, value, stamp, rule):
        if accept(cell, value, stamp, rule) is None:
            return None
        return Cell(heads=(head_of(value, stamp),))

    return wrong


@_bug(
    sync.decide,
    "accept",
    "an author's base is not looked at: heads compete by time alone",
    within=120,
)
def _base_not_looked_at(accept):
    return lambda cell, value, stamp, rule: accept(cell, value, replace(stamp, base=0), rule)


@_bug(sync.push, "correct", "a time that cannot be is believed")
def _clock_not_clamped(correct):
    def wrong(reading, send, **rest):
        corrected = correct(reading, send, **rest)
        if reading is None or corrected.quality != "clamped":
            return corrected
        return replace(corrected, at_ms=reading.wall_ms + (rest["offset_ms"] or 0))

    return wrong


@_bug(sync.decide, "_create", "a fact is refused where its author may not write")
def _fact_refused(create):
    def wrong(sheet, kind, deed):
        bucket, _ = sync.decide._place_new(sheet, kind, deed)
        if kind.create_only and bucket is not None and not deed.may_write(bucket):
            return Verdict(outcome=Outcome.HELD, code=Code.NOT_IN_SCOPE, rev=0)
        return create(sheet, kind, deed)

    return wrong


# the server


@_bug(ModelServer, "_rotate_lease", "the lease stays the same")
def _lease_not_rotated(_):
    def wrong(server, device, _shown):
        device.lease = device.lease or f"{server.incarnation}.{device.account}"

    return wrong


@_bug(ModelServer, "allowed", "an assignment that has ended still counts")
def _ended_assignment_counts(allowed):
    def wrong(server, account):
        ever = {f"grid:{grid}" for grid in server.assignments.get(account, {})}
        return allowed(server, account) | ever

    return wrong


@_bug(ModelServer, "_write", "a change is visible only after a later one has taken its place")
def _visible_after_the_cursor(write):
    def wrong(server, record):
        kept = server.__dict__.pop("_unseen", None)
        if kept is None and record.kind == "household" and record.rev % 3 == 2:
            bucket = server.buckets[record.bucket]
            row = bucket.rows.get(record.id)
            write(server, record)
            if row is not None:
                server._unseen = record.id, bucket.rows[record.id]
                bucket.rows[record.id] = row
            return
        write(server, record)
        if kept is not None and kept[0] != record.id:
            _show(server, *kept)

    return wrong


def _show(server, record_id, row):
    bucket = server.buckets[server.records[record_id].bucket]
    if record_id in bucket.rows and bucket.rows[record_id].seq < row.seq:
        bucket.rows[record_id] = row


@_bug(ModelServer, "_write", "an effect gets lost although its outcome is stored")
def _effect_outside_transaction(write):
    def wrong(server, record):
        if record.kind != "household" or record.rev % 4:
            write(server, record)

    return wrong


@_bug(model, "_items", "a page that is cut short says that it reached the end")
def _truncated_page_says_done(items):
    def wrong(bucket, start, room):
        found, _ = items(bucket, start, min(room, 2_000))
        return found, bucket.seq

    return wrong


@_bug(sync.push, "FAILS", "the sound half of a form counts although the other half fails")
def _half_a_form(_fails):
    return frozenset()


@_bug(Files, "drop", "a snapshot is kept although something left its bucket")
def _file_is_kept(_drop):
    return lambda *_: None


@_bug(Store, "apply_snapshot", "a snapshot is stored as if it were the end of the feed")
def _file_is_the_end(apply_snapshot):
    def wrong(store, snapshot):
        gone = apply_snapshot(store, snapshot)
        store.mark_complete([snapshot.page.id])
        bucket = "UPDATE bucket SET seq = seq + 1 WHERE id = ?"
        store._db.execute(bucket, (snapshot.page.id,))
        return gone

    return wrong


@_bug(sync.alias, "carried_cells", "what is said of a merged record later stays there")
def _alias_forgets(carried_cells):
    def wrong(survivor, before, after):
        return carried_cells(survivor, before, after) if not before else {}

    return wrong


@_bug(sync.alias, "_hand_over", "what belongs to a merged record stays with it")
def _children_stay(_hand_over):
    return lambda *_, **__: None
