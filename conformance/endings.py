"""Scenarios about records that end: merged into another, over by date, past their date."""

from conformance.outbox import household, settled
from conformance.replica import MANIFESTS
from conformance.scenario import Scenario
from conformance.stage import MINUTE_MS, Stage
from conformance.town import COMMUNITY, DAY_MS, grid_bucket
from conformance.wire import Plan
from server.imports.areas import area_id

HOUR_MS = 60 * MINUTE_MS


def _hear_only(stage: Stage) -> None:
    """Let the client hear what is new while what it sends is not decided."""
    stage.wire.plan(
        Plan(
            asks=lambda request: {**request, "mutations": []},
            replies=lambda reply: {**reply, "outcomes": [{"n": 1, "outcome": "retry"}]},
        ),
    )
    stage.sync()
    stage.advance(20 * MINUTE_MS)


def merged(stage: Stage) -> None:
    """What waits about a record that was merged is sent as it was written, and counts there."""
    stage.begin()
    first = household(stage)
    stored = stage.town.records()
    second = max(
        key
        for key, each in stored.items()
        if each.kind == "household" and each.bucket == grid_bucket(0)
    )
    stage.edit(first, set={"door": "9-9"})
    note = stage.note(first, "the bell is broken")
    stage.town.change(
        first, "household", act="merge_into", args={"into": second, "text": "one family"}
    )
    _hear_only(stage)
    stage.must(first not in stage.dump().bodies, "keeps a record that was merged into another")
    stage.come_to_rest()
    named = [mutation["record"] for _, mutation in stage.sent()[-2:]]
    stage.must(named == [first, note], "does not send work under the id it was written for")
    base = stage.sent()[-2][1]["base"]
    stage.must(base == stored[first].rev, "the base is not of the record that was edited")
    stage.must(
        [each.outcome for each in settled(stage)] == ["conflict", "applied"], "lost work"
    )
    state = (stage.shown(second) or {"state": {}})["state"]
    stage.must("door" in state.get("conflicts", ()), "does not show that two doors stand now")
    stage.must(stage.shown(first) is None, "shows a record that was merged into another")
    parent = (stage.shown(note) or {"state": {}})["state"].get("parent")
    stage.must(parent == second, "does not show a note where it belongs now")
    stage.edit(second, set={"contact_phone": "000-1111"})
    stage.come_to_rest()
    stage.must_hold_the_same((grid_bucket(0),))


def over(stage: Stage) -> None:
    """What left by date is forgotten; work about it is handed in and never comes back."""
    stage.begin()
    home = household(stage)
    visit = stage.create("visit", set={"household": home, "outcome": "done"})
    stage.come_to_rest()
    note = stage.note(visit, "asked for a ramp")
    stage.town.let_leave(days=500)
    _hear_only(stage)
    stage.come_to_rest()
    stage.must(visit not in stage.dump().bodies, "keeps a record that left by date")
    beside = [each.path for each in stage.wire.exchanges if each.path.startswith(MANIFESTS)]
    stage.must(not beside, "has to compare a bucket because a record left by date")
    stage.must(note in stage.town.records(), "work about it was not handed in")
    stage.must(note not in stage.dump().bodies, "holds what the server never sent")
    stage.must(stage.shown(note) is None, "shows work that will not come back for ever")
    stage.must_hold_the_same((grid_bucket(0),))


def past(stage: Stage) -> None:
    """An announcement is not shown after its date, offline and by the server's time."""
    stage.wall_error_ms = -400 * DAY_MS
    stage.begin()
    said = {
        "area": area_id(COMMUNITY),
        "title": "Water off",
        "text": "From nine to twelve.",
        "valid_until_ms": stage.true_ms + HOUR_MS,
    }
    made = stage.town.call("POST", "/v1/announcements", said)["id"]
    stage.come_to_rest()
    stage.must(stage.shown(made) is not None, "does not show an announcement")
    stage.advance(HOUR_MS - MINUTE_MS)
    stage.must(stage.shown(made) is not None, "hides an announcement before its date")
    stage.advance(MINUTE_MS)
    stage.must(stage.shown(made) is None, "shows an announcement after its date")
    stage.reboot("boot-2")
    stage.must(stage.shown(made) is None, "shows an announcement again after a restart")
    stage.come_to_rest()
    stage.must(made not in stage.dump().bodies, "keeps an announcement that left")


SCENARIOS = (
    Scenario(
        name="merged-record",
        rule="06 moves",
        must="a merged record is forgotten, work about it is sent as it was written",
        play=merged,
    ),
    Scenario(
        name="left-by-date",
        rule="06 by date",
        must="what left by date is forgotten, work about it is handed in",
        play=over,
    ),
    Scenario(
        name="past-its-date",
        rule="06 announcements",
        must="an announcement is not shown after its date, offline too",
        play=past,
    ),
)
