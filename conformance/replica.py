"""Scenarios about the replica: what is held, shown, dropped, compared and repaired."""

from collections.abc import Callable
from typing import Any

from conformance.outbox import household
from conformance.scenario import Scenario
from conformance.stage import MINUTE_MS, Stage
from conformance.town import ANN, BEA, grid_bucket, grid_id
from conformance.wire import Plan
from sync.canonical import digest_toggle, record_body, record_hash

ODD_TEXT = (
    'quote " slash / back \\ tab \t newline \n bell \x07 del \x7f ünïcode 网格 \U0001f5fa'
)
ODD_STATE = {
    "text": ODD_TEXT,
    "largest": 2**53,
    "smallest": -(2**53),
    "none": None,
    "flags": [True, False],
    "deep": {"\U0001f600": 1, "\ufb01": 2, "a": {"b": []}},
}
DAY_MS = 25 * 60 * MINUTE_MS
MANIFESTS = "/v1/sync/manifests/"
FORGED = "00000000-0000-7000-8000-0000000000f0"
Rewrite = Callable[[Any], Any]


def _both(stage: Stage) -> None:
    stage.must_hold_the_same(("config", grid_bucket(0), grid_bucket(1)))


def first_sync(stage: Stage) -> None:
    """A first sync brings every bucket, byte for byte, and digests of what is stored."""
    stage.begin()
    _both(stage)
    stage.must(f"user:{stage.town.accounts[ANN]}" in stage.dump().buckets, "own bucket missing")
    stage.crash()
    _both(stage)


def _page(reply: Any, bucket: str) -> Any:
    return next((each for each in reply["buckets"] if each["id"] == bucket), None)


def _with_item(bucket: str, state: dict[str, Any]) -> Rewrite:
    """Put a record with `state` into a page, as a newer server might, and into its digest."""
    body = record_body(FORGED, "note", 1, state)
    sealed = record_hash(body)
    item = {"record": FORGED, "kind": "note", "rev": 1, "hash": sealed}

    def rewrite(reply: Any) -> Any:
        page = _page(reply, bucket)
        if page is not None and not page["more"]:
            page["put"].append({**item, "state": state})
            page["digest"] = digest_toggle(page["digest"], sealed)
            page["count"] += 1
        return reply

    return rewrite


def canonical_bytes(stage: Stage) -> None:
    """Members the client does not know, odd texts and large numbers are kept byte for byte."""
    stage.open()
    stage.enrol()
    rewrite = _with_item(grid_bucket(0), ODD_STATE)
    stage.wire.plan(*(Plan(replies=rewrite) for _ in range(4)))
    stage.sync()
    body = stage.dump().bodies.get(FORGED)
    expected = record_body(FORGED, "note", 1, ODD_STATE)
    stage.must(body is not None, "does not store a record with members it does not know")
    stage.must(body == expected, "keeps other bytes than the canonical JSON of what was sent")


def unknown_members(stage: Stage) -> None:
    """Members, codes and reasons that a newer server says are passed over."""
    stage.begin()
    home = household(stage)
    stage.note(home)
    moved = household(stage, 1)

    def newer(reply: Any) -> Any:
        for page in reply["buckets"]:
            page["weather"] = "fair"
            for gone in page["gone"]:
                gone["why"], gone["since"] = "relocated", 1
        stated = [{**each, "code": "because", "mood": 1} for each in reply["outcomes"]]
        return {**reply, "outcomes": stated, "greeting": {"from": "a newer server"}}

    stage.wire.plan(*(Plan(replies=newer) for _ in range(6)))
    stage.come_to_rest()
    stage.town.change(moved, "household", set={"grid": grid_id(2)})
    stage.come_to_rest()
    stage.must(
        moved not in stage.dump().bodies, "keeps a record that left for an unknown reason"
    )


def pending_is_shown(stage: Stage) -> None:
    """Unsent work lies over the server's state; its base is the server's revision."""
    stage.begin()
    home = household(stage)
    rev = stage.town.records()[home].rev
    for door in ("A", "B"):
        stage.edit(home, set={"door": door, "contact_phone": None}, add={"languages": ["yue"]})
    shown = stage.shown(home)
    stage.must(shown is not None, "shows nothing of a record it holds")
    state = (shown or {})["state"]
    stage.must(state.get("door") == "B", "does not show the latest pending work")
    stage.must("contact_phone" not in state, "shows a value that pending work clears")
    stage.must("yue" in state.get("languages", ()), "does not show a pending element")
    stage.come_to_rest()
    bases = {mutation["base"] for _, mutation in stage.sent()}
    stage.must(bases == {rev}, "the base is not the revision the server's record had")
    stage.must(
        (stage.shown(home) or {}).get("pending") == [], "work that arrived still lies over"
    )
    _both(stage)


def claims_are_shown(stage: Stage) -> None:
    """A claim shows its state if its rank is higher than the shown one, else it does not."""
    stage.begin()
    task = _task(stage)
    stage.act(task, "finish", args={"result": "swept"})
    stage.must(_status(stage, task) == "done", "does not show a claim")
    stage.act(task, "start")
    stage.must(_status(stage, task) == "done", "lets a lower claim hide a higher one")
    stage.come_to_rest()
    stage.must(_status(stage, task) == "done", "does not show what the server made of it")


def _status(stage: Stage, record: str) -> Any:
    return (stage.shown(record) or {"state": {}})["state"].get("status")


def _task(stage: Stage) -> str:
    incident = "00000000-0000-7000-8000-0000000000c1"
    task = "00000000-0000-7000-8000-0000000000c2"
    stage.town.change(incident, "incident", set={"class": "0102", "grid": grid_id(0)})
    order = {"task": task, "assignee": stage.town.accounts[ANN]}
    stage.town.change(incident, "incident", act="dispatch", args=order)
    stage.come_to_rest()
    return task


def conflict_is_shown(stage: Stage) -> None:
    """Two values of one field: the client shows what the server shows, and never merges."""
    stage.begin()
    home = household(stage)
    stage.edit(home, set={"status": "moved_out"})
    stage.town.change(home, "household", set={"status": "vacant"})
    stage.come_to_rest()
    state = (stage.shown(home) or {"state": {}})["state"]
    stage.must(state.get("conflicts") == ["status"], "does not show that two values stand")
    _both(stage)


def leaving(stage: Stage) -> None:
    """On `leave` the records go and the outbox stays, and is handed in."""
    stage.begin()
    away = household(stage, 1)
    record = stage.note(away)
    stage.town.unassign(ANN, 1)
    stage.wire.plan(
        Plan(cut=0.6, asks=_without_work), Plan(asks=_without_work, replies=_without_settling)
    )
    stage.sync()
    stage.must(stage.dump().waiting == (1,), "drops work of a bucket it loses")
    stage.advance(20 * MINUTE_MS)
    stage.come_to_rest()
    copy = stage.dump()
    stage.must(grid_bucket(1) not in copy.buckets, "still lists a bucket it may not hold")
    stage.must(grid_bucket(1) not in set(copy.homes.values()), "keeps records it may not hold")
    stage.must(record in stage.town.records(), "work of the lost bucket was not handed in")
    stage.town.assign(ANN, 1)
    stage.come_to_rest()
    _both(stage)


def moving(stage: Stage) -> None:
    """A record that moves between two held buckets is held once, in the new one."""
    stage.begin()
    home = household(stage, 0)
    calls = len(stage.requests())
    stage.town.change(home, "household", set={"grid": grid_id(1)})
    stage.come_to_rest()
    stage.must(stage.dump().homes.get(home) == grid_bucket(1), "keeps a record where it was")
    stage.town.change(home, "household", set={"grid": grid_id(2)})
    stage.come_to_rest()
    stage.must(home not in stage.dump().bodies, "keeps a record that moved out of reach")
    stage.town.change(home, "household", set={"grid": grid_id(0)})
    stage.come_to_rest()
    _both(stage)
    listed = [each for request in stage.requests()[calls:] for each in request["buckets"]]
    grids = {grid_bucket(0), grid_bucket(1)}
    anew = {each["id"] for each in listed if each["seq"] == 0} & grids
    stage.must(not anew, "fetches a bucket again because a record moved")
    beside = [each.path for each in stage.wire.exchanges if each.path.startswith(MANIFESTS)]
    stage.must(not beside, "has to compare a bucket because a record moved")


def reset(stage: Stage) -> None:
    """A reset compares the bucket from the start, forgets what is gone and keeps the outbox."""
    stage.begin()
    gone = household(stage, 0)
    stage.town.change(gone, "household", set={"grid": grid_id(2)})
    note = stage.note(household(stage, 1), "survives the reset")

    def behind(request: Any) -> Any:
        for each in request["buckets"]:
            if each["id"] == grid_bucket(0):
                each["epoch"] = 0
        return _without_work(request)

    stage.wire.plan(Plan(asks=behind, replies=_without_settling))
    stage.come_to_rest()
    stage.must(note in stage.town.records(), "a reset drops the outbox")
    stage.must(gone not in stage.dump().bodies, "keeps what a reset no longer names")
    _both(stage)


def _without_work(request: Any) -> Any:
    return {**request, "mutations": []}


def _without_settling(reply: Any) -> Any:
    return {**reply, "outcomes": [{"n": 1, "outcome": "retry", "code": "gap"}]}


def wrong_digest(stage: Stage) -> None:
    """A digest that differs is never called up to date, is repaired, and does not loop."""
    stage.begin()
    stage.town.change(household(stage), "household", set={"door": "1"})

    def lie(reply: Any) -> Any:
        for page in (*reply.get("buckets", ()), reply):
            if "digest" in page:
                page["digest"] = digest_toggle(page["digest"], "f" * 32)
        return reply

    stage.wire.plan(*(Plan(replies=lie) for _ in range(30)))
    stage.wire.beside = lie
    before = len(stage.wire.exchanges)
    answer = stage.sync()
    calls = len(stage.wire.exchanges) - before
    stage.must(not answer["up_to_date"], "says it is up to date with another digest")
    stage.must(calls <= 30, f"makes {calls} calls about a digest that cannot be reached")
    stage.wire.plans.clear()
    stage.wire.beside = None
    stage.advance(DAY_MS)
    stage.come_to_rest()
    _both(stage)


def damaged_item(stage: Stage) -> None:
    """An item whose bytes do not give its hash is not stored; repair brings the right one."""
    stage.begin()
    home = household(stage)
    stage.town.change(home, "household", set={"door": "17"})

    def rot(reply: Any) -> Any:
        pages = [page["put"] for page in reply.get("buckets", ())]
        for item in (each for put in (*pages, reply.get("records", ())) for each in put):
            if isinstance(item, dict) and "state" in item:
                item["state"]["door"] = "71"
        return reply

    stage.wire.plan(*(Plan(replies=rot) for _ in range(30)))
    stage.wire.beside = rot
    stage.sync()
    stage.wire.plans.clear()
    stage.wire.beside = None
    shown = (stage.shown(home) or {"state": {}})["state"].get("door")
    stage.must(shown != "71", "stores bytes that are not those of the hash")
    stage.advance(DAY_MS)
    stage.come_to_rest()
    _both(stage)


def small_pages(stage: Stage) -> None:
    """A first sync in the smallest pages, some of them lost, ends with everything."""
    stage.open()
    stage.enrol()

    def little(request: Any) -> Any:
        return {**request, "max_bytes": 4_096}

    stage.wire.plan(
        *(Plan(asks=little, unheard=number in {1, 3}) for number in range(12)),
    )
    stage.come_to_rest()
    _both(stage)


def two_phones(stage: Stage) -> None:
    """What somebody else's phone handed in arrives, and work of one's own is read back."""
    stage.begin(BEA)
    home = household(stage)
    stage.edit(home, set={"door": "5"})
    stage.come_to_rest()
    stage.must(
        (stage.shown(home) or {"state": {}})["state"].get("door") == "5", "own write lost"
    )
    stage.town.change(home, "household", set={"door": "6"})
    stage.come_to_rest()
    stage.must((stage.shown(home) or {"state": {}})["state"].get("door") == "6", "news missing")
    stage.must_hold_the_same(("config", grid_bucket(0)))


SCENARIOS = (
    Scenario(
        name="first-sync",
        rule="07 first sync",
        must="every allowed bucket, byte for byte, also after a restart",
        play=first_sync,
    ),
    Scenario(
        name="canonical-bytes",
        rule="07 canonical JSON",
        must="unknown members are kept; hash and digest come from stored bytes",
        play=canonical_bytes,
    ),
    Scenario(
        name="unknown-members",
        rule="08 rule 12",
        must="unknown members, codes and reasons are passed over",
        play=unknown_members,
    ),
    Scenario(
        name="pending-is-shown",
        rule="08 rule 4",
        must="pending work lies over the server's state until it has arrived",
        play=pending_is_shown,
    ),
    Scenario(
        name="claims-are-shown",
        rule="08 laying over",
        must="a claim shows its state if its rank is higher",
        play=claims_are_shown,
    ),
    Scenario(
        name="conflict-is-shown",
        rule="04 conflicts",
        must="the client never merges",
        play=conflict_is_shown,
    ),
    Scenario(
        name="leaving",
        rule="08 rule 6",
        must="on leave the records go and the outbox stays",
        play=leaving,
    ),
    Scenario(
        name="moving",
        rule="06 moves",
        must="a moved record is held once, where it is now",
        play=moving,
    ),
    Scenario(
        name="reset",
        rule="08 rule 7",
        must="a reset forgets what is gone and keeps the outbox",
        play=reset,
    ),
    Scenario(
        name="wrong-digest",
        rule="08 rule 5",
        must="never up to date with another digest, and no endless repair",
        play=wrong_digest,
    ),
    Scenario(
        name="damaged-item",
        rule="07 digest",
        must="an item whose bytes do not give its hash is not stored",
        play=damaged_item,
    ),
    Scenario(
        name="small-pages",
        rule="02 page",
        must="pages are followed to their end, in any size",
        play=small_pages,
    ),
    Scenario(
        name="two-phones",
        rule="09 promises",
        must="own writes are read back, news arrive",
        play=two_phones,
    ),
)
