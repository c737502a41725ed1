"""Clients that break one rule each: the reference phone with one piece of it put out of order.

    python -m tests.conformance.broken NAME

serves the contract like `clients.conformance`, in a process of its own.
"""

# Putting pieces of the phone out of order is what this module is for.
# mypy: ignore-errors

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from clients.conformance import Adapter, serve
from clients.phone import absence, outbox, phone, repair, rounds, timing
from clients.phone.store import Store
from sync import expiry, replica
from sync.canonical import record_body
from sync.replica import Held

FAULTS: dict[str, Callable[[], None]] = {}


def fault(plant: Callable[[], None]) -> Callable[[], None]:
    """Name a fault after the function that plants it."""
    FAULTS[plant.__name__] = plant
    return plant


@fault
def settles_what_it_sends() -> None:
    whole = Store.mark_sent

    def mark_sent(self, ns):
        whole(self, ns)
        self._db.executemany(
            "UPDATE mutation SET outcome = 'applied', settled_ms = 1 WHERE n = ?",
            [(n,) for n in ns],
        )

    Store.mark_sent = mark_sent


@fault
def sends_another_body_the_second_time() -> None:
    as_mutation = outbox.as_mutation
    sent: dict[str, int] = {}

    def changed(row):
        mutation = as_mutation(row)
        sent[row.record] = sent.get(row.record, 0) + 1
        if sent[row.record] == 1 or "text" not in mutation.set:
            return mutation
        text = f"{mutation.set['text']} again"
        return outbox.sealed(replace(mutation, set={**mutation.set, "text": text}))

    rounds.as_mutation = changed


@fault
def moves_positions_without_data() -> None:
    whole = rounds.Rounds._round

    def round_(self, tally):
        failure = whole(self, tally)
        if failure is not None:
            self._store._db.execute("UPDATE bucket SET seq = seq + 1")
        return failure

    rounds.Rounds._round = round_


@fault
def drops_the_outbox_on_leave() -> None:
    whole = Store.purge

    def purge(self, buckets):
        if buckets:
            self._db.execute("DELETE FROM mutation")
        return whole(self, buckets)

    Store.purge = purge


@fault
def keeps_what_it_may_not_hold() -> None:
    Store.purge = lambda _self, _buckets: 0


@fault
def keeps_what_nobody_confirmed() -> None:
    absence.Absence.check = lambda _self: None


@fault
def counts_its_absence_by_the_wall() -> None:
    expiry.elapsed_ms = lambda then, now: max(now.wall_ms - then.wall_ms, 0)


@fault
def drops_the_outbox_after_an_absence() -> None:
    whole = absence.Absence._drop

    def drop(self, now):
        self._store._db.execute("DELETE FROM mutation")
        whole(self, now)

    absence.Absence._drop = drop


@fault
def keeps_what_moved_away() -> None:
    whole = replica.page_effect

    def effect(page, followed):
        found = whole(page, followed)
        return None if found is None else replace(found, gone=())

    rounds.page_effect = effect


@fault
def keeps_what_left_by_date() -> None:
    whole = replica.page_effect

    def effect(page, followed):
        kept = tuple(each for each in page.gone if each.why != "hidden")
        return whole(replace(page, gone=kept), followed)

    rounds.page_effect = effect


@fault
def renames_what_was_merged() -> None:
    whole = rounds.Rounds._apply_pages

    def apply(self, reply, tally):
        whole(self, reply, tally)
        for gone in (each for page in reply.buckets for each in page.gone if each.merged_into):
            for row in self._store.waiting():
                body = row.body.replace(gone.record.encode(), gone.merged_into.encode())
                change = "UPDATE mutation SET body = ? WHERE n = ?"
                self._store._db.execute(change, (body, row.n))

    rounds.Rounds._apply_pages = apply


@fault
def trusts_its_clock_for_dates() -> None:
    absence.Absence.now_ms = lambda self: self._clock.wall_ms


@fault
def keeps_what_a_reset_forgets() -> None:
    whole = replica.page_effect

    def effect(page, followed):
        found = whole(page, followed)
        return None if found is None else replace(found, restart=False)

    rounds.page_effect = effect
    compared = repair.difference
    repair.difference = lambda held, listed: replace(compared(held, listed), drop=())


def _held(item: Any, bucket: str, state: Mapping[str, Any]) -> Held:
    body = record_body(item.record, item.kind, item.rev, dict(state))
    return Held(
        record=item.record,
        bucket=bucket,
        kind=item.kind,
        rev=item.rev,
        hash=item.hash,
        body=body,
    )


@fault
def stores_what_it_knows_only() -> None:
    known = {"text", "parent", "grid", "author", "written_at_ms"}

    def held_from(item, bucket):
        state = item.state
        if item.kind == "note":
            state = {name: each for name, each in state.items() if name in known}
        return _held(item, bucket, state)

    replica.held_from = held_from


@fault
def trusts_every_hash() -> None:
    replica.held_from = lambda item, bucket: _held(item, bucket, item.state)


@fault
def says_it_is_up_to_date() -> None:
    rounds.Rounds.is_up_to_date = lambda _self: True


@fault
def forgets_pending_work_on_the_screen() -> None:
    Store.overlay = lambda _self, _record: []


@fault
def counts_its_own_work_into_the_base() -> None:
    whole = phone.Phone._seen

    def seen(self, record):
        shown = whole(self, record)
        return replace(shown, rev=shown.rev + len(shown.pending))

    phone.Phone._seen = seen


@fault
def shows_every_claim() -> None:
    def lay(shown, _kind, act):
        shown["status"] = {"start": "in_progress", "finish": "done"}.get(act, act)

    replica._lay_claim = lay


@fault
def does_not_wait() -> None:
    timing.Timing.blocked_s = lambda _self: 0


@fault
def chooses_its_own_pace() -> None:
    timing.Timing.due_in_s = lambda _self: 60


@fault
def gives_up_for_an_hour() -> None:
    whole = timing.Timing.failed

    def failed(self, answer):
        whole(self, answer)
        with self._store.transaction():
            self._keep_until("due", 3_600)

    timing.Timing.failed = failed


@fault
def always_asks_for_the_same() -> None:
    timing.Timing._resize = lambda _self, _page_bytes, _batch_max: None


@fault
def ignores_limits() -> None:
    whole = rounds.next_batch

    def next_batch(store, *, limits, batch_max):
        del limits, batch_max
        return whole(store, limits=rounds.Limits(), batch_max=rounds.Limits().mutations)

    rounds.next_batch = next_batch


@fault
def takes_retry_for_an_end() -> None:
    _settles_as_well("retry")


def _settles_as_well(word: str) -> None:
    whole = replica.settlement

    def settlement(sent, reply, **known):
        said = whole(sent, reply, **known)
        more = tuple(each for each in reply.outcomes if each.outcome == word)
        return replace(said, final=(*said.final, *more))

    rounds.settlement = settlement


def _never_settles(words: set[str]) -> None:
    whole = replica.settlement

    def settlement(sent, reply, **known):
        said = whole(sent, reply, **known)
        kept = tuple(each for each in said.final if each.outcome not in words)
        return replace(said, final=kept)

    rounds.settlement = settlement


@fault
def is_blocked_by_a_refusal() -> None:
    _never_settles({"invalid", "held"})


@fault
def offers_nothing_again() -> None:
    whole = replica.settlement

    def settlement(sent, reply, **known):
        return replace(whole(sent, reply, **known), offer_again=())

    rounds.settlement = settlement


@fault
def trusts_a_doubtful_identity() -> None:
    whole = phone.Phone.sync
    phone.Phone.sync = lambda self: replace(whole(self), identity_doubtful=False)


@fault
def leaves_its_outbox_behind() -> None:
    def carry_over(store, *, settled_too):
        store.take_outbox((), settled_too=settled_too)
        store.keep_setting("last_n", 0)
        store.keep_setting("former", None)

    rounds.carry_over = carry_over


@fault
def sends_the_clock_of_the_act() -> None:
    frozen: dict[str, Any] = {}

    def read(clock):
        return frozen.setdefault(
            "first",
            outbox.ClockReading(
                wall_ms=clock.wall_ms, uptime_ms=clock.uptime_ms, boot=clock.boot
            ),
        )

    rounds.read = read


@fault
def refetches_for_ever() -> None:
    whole = rounds.Rounds._done

    def done(self, tally):
        finished = whole(self, tally)
        tally.fetched_again.clear()
        return finished

    rounds.Rounds._done = done


@fault
def hangs() -> None:
    phone.Phone.sync = lambda _self: time.sleep(3_600)


@fault
def dies() -> None:
    phone.Phone.sync = lambda _self: sys.exit(3)


@fault
def talks_nonsense() -> None:
    Adapter.sync = lambda _self, _asked: sys.stdout.write("hello?\n") and {}


def main() -> None:
    FAULTS[sys.argv[1]]()
    serve(Adapter(), sys.stdin, sys.stdout)


if __name__ == "__main__":
    main()
