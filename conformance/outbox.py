"""Scenarios about the outbox: numbering, sending, repeating, and what ends the waiting."""

from threading import Event
from typing import Any

from conformance import queries
from conformance.scenario import Scenario
from conformance.stage import MINUTE_MS, Stage
from conformance.town import grid_bucket, place
from conformance.wire import Plan

CUTS = (0.0, 0.01, 0.5, 0.99)
MANY = 230


def household(stage: Stage, index: int = 0) -> str:
    """Return a household of a grid, the first by id."""
    stored = stage.town.records()
    return min(
        key
        for key, each in stored.items()
        if each.kind == "household" and each.bucket == grid_bucket(index)
    )


def settled(stage: Stage) -> list[queries.StoredMutation]:
    """Return what the server has of the client's device."""
    device = stage.dump().device
    found: list[queries.StoredMutation] = stage.town.write(
        lambda db: queries.mutations(db, device)
    )
    return found


def _work(stage: Stage, count: int = 3) -> list[str]:
    home = household(stage)
    return [stage.note(home, f"note {number}") for number in range(count)]


def _must_be_there_once(stage: Stage, records: list[str]) -> None:
    stored = settled(stage)
    numbers = [each.n for each in stored]
    stage.must(numbers == list(range(1, len(numbers) + 1)), "the server has gaps in its n")
    for record in records:
        times = sum(each.record == record for each in stored)
        stage.must(times == 1, f"a record was handed in {times} times instead of once")
    stage.must(stage.dump().waiting == (), "work that is settled still waits")


def report_offline(stage: Stage) -> None:
    """A report written offline arrives with n 1, base 0, its place and the time of the act."""
    stage.begin()
    record = stage.create("report", set={"class": "0102", "text": "seen"}, position=place(0))
    acted = stage.uptime_ms
    stage.must(stage.dump().waiting == (1,), "the first work of a device must be n 1")
    stage.advance(30 * MINUTE_MS)
    stage.come_to_rest()
    ((_, mutation),) = stage.sent()
    stage.must(mutation["base"] == 0, "a new record has base 0")
    stage.must(mutation["clock"]["uptime_ms"] == acted, "the clock is not that of the act")
    stage.must(mutation.get("position"), "the measured place is not sent")
    _must_be_there_once(stage, [record])


def clocks(stage: Stage) -> None:
    """Clocks are read at the act and just before sending; a boot has an id of its own."""
    stage.begin()
    home = household(stage)
    stage.note(home)
    before = (stage.uptime_ms, stage.boot)
    stage.reboot("boot-2")
    stage.advance(MINUTE_MS)
    stage.note(home)
    stage.advance(MINUTE_MS)
    stage.come_to_rest()
    first, second = (mutation["clock"] for _, mutation in stage.sent()[:2])
    stage.must((first["uptime_ms"], first["boot"]) == before, "changes the clock of an act")
    stage.must(second["boot"] == "boot-2", "does not notice that the phone was restarted")
    number = stage.sent()[0][0]
    sending = stage.requests()[number]["clock"]
    stage.must(
        sending["boot"] == "boot-2" and sending["uptime_ms"] > second["uptime_ms"],
        "the request's clock is not read just before sending",
    )
    for _ in range(2):
        stage.advance(20 * MINUTE_MS)
        stage.sync()
        shown = stage.requests()[-1]["clock"]["uptime_ms"]
        stage.must(shown == stage.uptime_ms, "sends the clock of an earlier time")


def lost_request(stage: Stage) -> None:
    """A request that never arrived is sent again."""
    stage.begin()
    records = _work(stage)
    stage.wire.plan(Plan(lost=True))
    stage.must(stage.sync()["failure"], "calls a lost request a success")
    stage.must(len(stage.dump().waiting) == len(records), "forgets work that was not answered")
    stage.advance(20 * MINUTE_MS)
    stage.come_to_rest()
    _must_be_there_once(stage, records)


def lost_reply(stage: Stage) -> None:
    """Work whose reply was lost is sent again byte for byte, and counts once."""
    stage.begin()
    records = _work(stage)
    stage.wire.plan(Plan(unheard=True), Plan(unheard=True))
    stage.sync()
    stage.must(len(stage.dump().waiting) == len(records), "settles work without an answer")
    stage.advance(20 * MINUTE_MS)
    stage.come_to_rest()
    _must_be_there_once(stage, records)
    outcomes = stage.dump().outcomes
    stage.must(set(outcomes) == {1, 2, 3}, "does not keep what became of its work")


def cut_reply(stage: Stage) -> None:
    """A reply that breaks off changes nothing; no position moves before its data."""
    stage.begin()
    home = household(stage)
    for number, share in enumerate(CUTS):
        stage.note(home, f"cut {number}")
        stage.town.change(home, "household", set={"door": f"0{number}"})
        before = stage.dump()
        stage.wire.plan(Plan(cut=share))
        answer = stage.sync()
        stage.must(not answer["up_to_date"], "says it is up to date after half a reply")
        after = stage.dump()
        stage.must(before.buckets == after.buckets, "moves a position by half a reply")
        stage.must(before.waiting == after.waiting, "settles work by half a reply")
        stage.advance(20 * MINUTE_MS)
        stage.come_to_rest()
    stage.must_hold_the_same((grid_bucket(0), grid_bucket(1), "config"))


def repeated_request(stage: Stage) -> None:
    """A request that the network doubles has one effect, and its answer is understood."""
    stage.begin()
    records = _work(stage)
    stage.wire.plan(Plan(twice=True))
    stage.come_to_rest()
    _must_be_there_once(stage, records)


def killed_while_sending(stage: Stage) -> None:
    """A client that dies with a request under way sends the same again, and numbers go on."""
    stage.begin()
    records = _work(stage)
    held = Event()
    stage.wire.arrived.clear()
    stage.wire.plan(Plan(held=held))
    stage.client.send("sync")
    stage.must(stage.wire.arrived.wait(20), "does not send what waits")
    stage.client.kill()
    held.set()
    stage.open()
    records += [stage.note(household(stage), "after the crash")]
    stage.must(stage.dump().last_n == len(records), "gives out an n twice after a crash")
    stage.advance(20 * MINUTE_MS)
    stage.come_to_rest()
    _must_be_there_once(stage, records)


def killed_after_writing(stage: Stage) -> None:
    """Work that was written down is there after a crash, with what the worker saw."""
    stage.begin()
    home = household(stage)
    stage.edit(home, set={"door": "99"})
    record = stage.note(home)
    stage.crash()
    stage.must(stage.dump().waiting == (1, 2), "loses work that was written down")
    shown = stage.shown(home)
    stage.must(shown and shown["state"].get("door") == "99", "no longer shows pending work")
    stage.come_to_rest()
    _must_be_there_once(stage, [home, record])


def poison(stage: Stage) -> None:
    """Work that is refused for good, or waits for a person, does not block what comes after."""
    stage.begin()
    home = household(stage)
    stage.create("note", set={"parent": home, "text": "fine", "colour": "red"})
    stage.create("note", set={"parent": "01930000-0000-7000-8000-00000000dead", "text": "?"})
    record = stage.note(home, "after")
    stage.come_to_rest()
    outcomes = stage.dump().outcomes
    stage.must(outcomes.get(1) == "invalid", "does not keep the outcome 'invalid'")
    stage.must(outcomes.get(2) == "held", "does not keep the outcome 'held'")
    _must_be_there_once(stage, [record])


def asked_to_retry(stage: Stage) -> None:
    """`retry` is not final: that work and what follows it is sent again, in order."""
    stage.begin()
    records = _work(stage)

    def stopped(reply: Any) -> Any:
        late = [{"n": n, "outcome": "retry", "code": "gap"} for n in (2, 3)]
        return {**reply, "settled_through": 1, "outcomes": late}

    stage.wire.plan(Plan(replies=stopped))
    stage.sync()
    stage.advance(20 * MINUTE_MS)
    stage.come_to_rest()
    _must_be_there_once(stage, records)
    first = [n for n, _ in stage.sent()]
    stage.must(len(first) >= len(records) + 2, "takes 'retry' for an end")


def in_batches(stage: Stage) -> None:
    """A long day goes out in requests within the limit the server announced, in order."""
    stage.begin()
    home = household(stage)
    records = [stage.note(home, f"{number}") for number in range(MANY)]

    def smaller(reply: Any) -> Any:
        return {**reply, "limits": {**reply["limits"], "mutations": 20}}

    stage.wire.plan(*(Plan(replies=smaller) for _ in range(20)))
    stage.come_to_rest()
    _must_be_there_once(stage, records)


def unknown_outcome(stage: Stage) -> None:
    """An outcome the client does not know makes the reply unreadable: nothing of it counts."""
    stage.begin()
    records = _work(stage, 1)
    before = stage.dump()

    def newer(reply: Any) -> Any:
        return {**reply, "outcomes": [{"n": 1, "outcome": "postponed"}]}

    stage.wire.plan(Plan(replies=newer))
    answer = stage.sync()
    stage.must(answer["failure"], "reads a reply with an outcome nobody declared")
    stage.must(stage.dump().waiting == before.waiting, "settles work by an unknown outcome")
    stage.advance(20 * MINUTE_MS)
    stage.come_to_rest()
    _must_be_there_once(stage, records)


SCENARIOS = (
    Scenario(
        name="report-offline",
        rule="02 mutation",
        must="n from 1, base 0 for a new record, the clock of the act",
        play=report_offline,
    ),
    Scenario(
        name="clocks",
        rule="02 clock",
        must="clocks are read at the act and just before sending, with the boot's id",
        play=clocks,
    ),
    Scenario(
        name="lost-request",
        rule="08 rule 2",
        must="what was not answered is sent again",
        play=lost_request,
    ),
    Scenario(
        name="lost-reply",
        rule="08 rules 3 and 10",
        must="a repetition is byte for byte the same and counts once",
        play=lost_reply,
    ),
    Scenario(
        name="cut-reply",
        rule="08 rule 3",
        must="a reply is applied as a whole or not at all",
        play=cut_reply,
    ),
    Scenario(
        name="repeated-request",
        rule="03 replayed",
        must="a doubled request does no harm",
        play=repeated_request,
    ),
    Scenario(
        name="killed-while-sending",
        rule="08 rules 1 to 3",
        must="a crash between sending and storing loses and doubles nothing",
        play=killed_while_sending,
    ),
    Scenario(
        name="killed-after-writing",
        rule="08 rule 1",
        must="work and what is seen of it are written down together",
        play=killed_after_writing,
    ),
    Scenario(
        name="poison",
        rule="03 outcomes",
        must="final outcomes end a mutation's waiting, whatever they say",
        play=poison,
    ),
    Scenario(
        name="retry",
        rule="03 retry",
        must="retry is the one outcome that is not final",
        play=asked_to_retry,
    ),
    Scenario(
        name="in-batches",
        rule="08 rule 2",
        must="at most limits.mutations of the last reply in one request",
        play=in_batches,
    ),
    Scenario(
        name="unknown-outcome",
        rule="08 rule 12",
        must="an unknown outcome makes a reply unreadable",
        play=unknown_outcome,
    ),
)
