"""Scenarios about trouble: busy servers, doubtful identities, restored stores."""

from itertools import pairwise
from typing import Any

from conformance.outbox import household, settled
from conformance.scenario import Scenario
from conformance.stage import MINUTE_MS, Stage
from conformance.town import grid_bucket
from conformance.wire import SYNC_PATH, Plan, problem

BUSY_S = 120
PAGE_BYTES_MIN = 4_096
DAY_S = 86_400


def asked_to_wait(stage: Stage) -> None:
    """`Retry-After` is kept: no sync call before it is over, and nothing is dropped."""
    stage.begin()
    record = stage.note(household(stage))
    busy = problem(503, "temporary-reduced-capacity", retry_after_s=BUSY_S)
    stage.wire.plan(Plan(says=busy))
    stage.sync()
    calls = len(stage.wire.syncs())
    stage.advance(BUSY_S * 500)
    stage.sync()
    stage.must(len(stage.wire.syncs()) == calls, "calls again before Retry-After is over")
    stage.must(stage.dump().waiting == (1,), "drops work because the server is busy")
    stage.advance(BUSY_S * 1_000)
    stage.come_to_rest()
    stage.must(record in stage.town.records(), "the work was not handed in afterwards")


def paced(stage: Stage) -> None:
    """`next_sync_s` says when the next automatic sync is due."""
    stage.begin()

    def soon(reply: Any) -> Any:
        return {**reply, "next_sync_s": 77}

    stage.wire.plan(*(Plan(replies=soon) for _ in range(4)))
    stage.come_to_rest()
    due_s = int(stage.client.ask("due")["seconds"])
    stage.must(due_s == 77, f"is due in {due_s} s although the server said 77")
    stage.advance(40_000)
    left_s = int(stage.client.ask("due")["seconds"])
    stage.must(left_s == 37, f"is due in {left_s} s after 40 of 77 s")


def backing_off(stage: Stage) -> None:
    """After failures in a row the client waits, at most 15 minutes, and never gives up."""
    stage.begin()
    stage.note(household(stage))
    for _ in range(8):
        stage.wire.plan(Plan(lost=True))
        stage.sync()
        due_s = int(stage.client.ask("due")["seconds"])
        stage.must(0 <= due_s <= 900, f"waits {due_s} s after a failure")
        stage.advance(15 * MINUTE_MS)
    stage.must(stage.dump().waiting == (1,), "gives work up after failures")
    stage.wire.plans.clear()
    stage.come_to_rest()


def asking_for_less(stage: Stage) -> None:
    """After a failure that may have been one of size the client asks for less at once."""
    stage.begin()
    before = len(stage.requests())
    for _ in range(3):
        stage.wire.plan(Plan(cut=0.5))
        stage.sync()
        stage.advance(20 * MINUTE_MS)
    stage.come_to_rest()
    sizes = [each.get("max_bytes") or 0 for each in stage.requests()[before:]]
    stage.must(all(sizes), "does not say how large a reply it can take")
    for asked, then in pairwise(sizes[:4]):
        less = then <= max(asked // 2, PAGE_BYTES_MIN)
        stage.must(less, f"asks for {then} bytes after {asked} failed")


def long_absence(stage: Stage) -> None:
    """What was not confirmed for `purge_after_s` is dropped without a contact; work stays."""
    stage.begin()

    def a_day(reply: Any) -> Any:
        return {**reply, "purge_after_s": DAY_S}

    stage.wire.plan(*(Plan(replies=a_day) for _ in range(4)))
    stage.come_to_rest()
    stage.wire.plans.clear()
    home = household(stage)
    record = stage.note(home)
    stage.advance((DAY_S - 60) * 1_000)
    stage.must(stage.shown(home), "drops what it holds too early")
    stage.wall_error_ms = -2 * DAY_S * 1_000
    stage.advance(120_000)
    kept = {bucket for bucket in stage.dump().homes.values() if bucket != "config"}
    stage.must(not kept, "keeps records when it has heard nothing for too long")
    stage.must(stage.shown(home) is None, "shows what it must not hold any longer")
    stage.must(stage.dump().waiting == (1,), "drops its outbox with what it holds")
    stage.crash()
    stage.must(stage.shown(home) is None, "shows again after a restart what it dropped")
    stage.wall_error_ms = 0
    stage.tell_time()
    stage.come_to_rest()
    stage.must(record in stage.town.records(), "the work was not handed in afterwards")
    stage.must_hold_the_same((grid_bucket(0), "config"))


def stale_lease(stage: Stage) -> None:
    """On `stale-lease` the client needs a new identity; then its outbox goes out under it."""
    stage.begin()
    former = stage.dump().device
    stage.note(household(stage))
    stage.come_to_rest()
    record = stage.note(household(stage), "not sent yet")
    stage.wire.plan(Plan(says=problem(403, "stale-lease")))
    answer = stage.sync()
    stage.must(answer.get("enrol_again") is True, "does not ask to be enrolled again")
    stage.must(stage.dump().waiting == (2,), "drops its outbox with its identity")
    _anew(stage, former, [record])


def _anew(stage: Stage, former: str, records: list[str]) -> None:
    """Enrol again: a new device, a first request without mutations, numbers from 1."""
    stage.advance(20 * MINUTE_MS)
    calls = len(stage.wire.syncs())
    stage.enrol()
    stage.must(stage.dump().device != former, "enrols with the identity that is over")
    stage.come_to_rest()
    first = stage.requests()[calls]
    stage.must(not first.get("mutations"), "sends work before it knows where the server stands")
    stored = settled(stage)
    stage.must([each.n for each in stored] == list(range(1, len(stored) + 1)), "n is not dense")
    for record in records:
        stage.must(any(each.record == record for each in stored), "work was not carried over")
    stage.must(stage.dump().waiting == (), "work still waits")


def reused_number(stage: Stage) -> None:
    """What was set aside because an n was used twice goes out again under a new identity."""
    stage.begin()
    former = stage.dump().device
    record = stage.note(household(stage))

    def doubtful(reply: Any) -> Any:
        said = {"n": 1, "outcome": "quarantined", "code": "reused-n"}
        return {**reply, "outcomes": [said]}

    def empty(request: Any) -> Any:
        return {**request, "mutations": [], "last_n": 0}

    stage.wire.plan(Plan(asks=empty, replies=doubtful))
    answer = stage.sync()
    stage.must(answer.get("enrol_again") is True, "trusts an identity that is doubtful")
    _anew(stage, former, [record])


def restored_store(stage: Stage) -> None:
    """A new incarnation: settled work above `settled_through` is offered again, once."""
    stage.begin()
    home = household(stage)
    records = [stage.note(home, f"{number}") for number in range(3)]
    stage.come_to_rest()
    calls = len(stage.wire.syncs())

    def restored(reply: Any) -> Any:
        through = min(reply["settled_through"], 1)
        return {**reply, "incarnation": "0" * 36, "settled_through": through}

    def later(reply: Any) -> Any:
        return {**reply, "incarnation": "0" * 36}

    stage.wire.plan(Plan(replies=restored), *(Plan(replies=later) for _ in range(20)))
    for _ in range(4):
        stage.sync()
        stage.advance(20 * MINUTE_MS)
    again = [mutation["n"] for number, mutation in stage.sent() if number > calls]
    stage.must(again[:2] == [2, 3], f"offers {again} again instead of 2 and 3")
    stage.must(stage.dump().waiting == (), "work that was answered still waits")
    stage.must(set(records) <= stage.town.records().keys(), "a record is gone")
    asked = {
        each["id"]: each
        for request in stage.requests()[calls + 1 :]
        for each in request["buckets"]
        if each["seq"] == 0
    }
    compared = grid_bucket(0) in asked or any(
        each.path != SYNC_PATH and "manifests" in each.path for each in stage.wire.exchanges
    )
    stage.must(compared, "does not compare its buckets with the restored store")


def token_over(stage: Stage) -> None:
    """A token that is over is a matter for the worker; nothing is dropped, nothing loops."""
    stage.begin()
    stage.note(household(stage))
    stage.wire.plan(*(Plan(says=problem(401, "unauthenticated")) for _ in range(10)))
    calls = len(stage.wire.syncs())
    answer = stage.sync()
    stage.must(answer["failure"], "calls a refusal a success")
    stage.must(len(stage.wire.syncs()) - calls <= 2, "repeats a refused call at once")
    stage.must(stage.dump().waiting == (1,), "drops work because a token is over")
    stage.wire.plans.clear()
    stage.advance(20 * MINUTE_MS)
    stage.come_to_rest()


SCENARIOS = (
    Scenario(
        name="asked-to-wait",
        rule="08 rule 8",
        must="Retry-After is kept and nothing is dropped",
        play=asked_to_wait,
    ),
    Scenario(name="paced", rule="08 rule 8", must="next_sync_s is obeyed", play=paced),
    Scenario(
        name="backing-off",
        rule="08 rule 8",
        must="it waits after failures, at most 15 minutes, and never gives up",
        play=backing_off,
    ),
    Scenario(
        name="asking-for-less",
        rule="08 rule 8",
        must="max_bytes is halved after a failed page",
        play=asking_for_less,
    ),
    Scenario(
        name="long-absence",
        rule="08 rule 14",
        must="what was not confirmed in time is dropped, and work is kept",
        play=long_absence,
    ),
    Scenario(
        name="stale-lease",
        rule="08 rule 11",
        must="a new identity takes the outbox along",
        play=stale_lease,
    ),
    Scenario(
        name="reused-number",
        rule="08 rule 11",
        must="what was set aside with the identity is sent again",
        play=reused_number,
    ),
    Scenario(
        name="restored-store",
        rule="08 rule 9",
        must="settled work above settled_through is offered again",
        play=restored_store,
    ),
    Scenario(
        name="token-over",
        rule="10 errors",
        must="a refusal drops nothing and is not repeated at once",
        play=token_over,
    ),
)
