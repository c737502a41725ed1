import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.canonical import EMPTY_DIGEST, record_body, record_hash
from sync.exchange import BucketPage, Gone, Item, SyncReply, WireOutcome
from sync.mutation import ClockReading, Datum, Mutation, Position
from sync.outcome import Code, Outcome
from sync.replica import (
    Followed,
    Held,
    Shown,
    digest_of_bodies,
    held_from,
    page_effect,
    settlement,
    shown_record,
)
from sync.wire import sealed
from tests.sync import wire_values as values

ID = "0193a1b2-0000-7000-8000-000000000001"
CLOCK = ClockReading(wall_ms=0, uptime_ms=0, boot="b")


def item(state: Mapping[str, Any] | None = None, **changes: Any) -> Item:
    members: dict[str, Any] = {
        "record": ID,
        "kind": "task",
        "rev": 1,
        "state": state or {},
        **changes,
    }
    body = record_body(members["record"], members["kind"], members["rev"], members["state"])
    return Item(**{"hash": record_hash(body), **members})


def page(**changes: Any) -> BucketPage:
    return BucketPage(
        **{
            "id": "config",
            "epoch": 1,
            "from_seq": 0,
            "seq": 5,
            "digest": EMPTY_DIGEST,
            "count": 0,
            **changes,
        }
    )


def reply(**changes: Any) -> SyncReply:
    return SyncReply(
        **{
            "server_time_ms": 0,
            "incarnation": "i1",
            "lease": "l",
            "settled_through": 0,
            **changes,
        }
    )


def work(n: int = 1, **members: Any) -> Mutation:
    plain: dict[str, Any] = {
        "n": n,
        "record": ID,
        "kind": "task",
        "base": 1,
        "body": b"",
        "clock": CLOCK,
    }
    return sealed(Mutation(**{**plain, **members}))


# pages


@given(values.items())
def test_an_item_is_held_as_the_bytes_its_hash_was_made_of(item):
    held = held_from(item, "config")
    assert held is not None
    assert record_hash(held.body) == item.hash
    assert json.loads(held.body)["state"] == item.state


@pytest.mark.parametrize("change", [{"rev": 2}, {"state": {"title": "x"}}, {"hash": "0" * 32}])
def test_an_item_whose_bytes_do_not_give_its_hash_is_not_held(change):
    damaged = Item(**{**{n: getattr(item(), n) for n in Item.__slots__}, **change})
    assert held_from(damaged, "config") is None
    effect = page_effect(page(put=(damaged,)), Followed(id="config"))
    assert effect is not None
    assert (effect.put, effect.damaged) == ((), (ID,))


def test_text_that_has_no_bytes_is_not_held():
    damaged = Item(record=ID, kind="note", rev=1, hash="0" * 32, state={"text": "\ud800"})
    assert held_from(damaged, "config") is None


def test_a_page_that_follows_on_moves_the_cursor():
    effect = page_effect(
        page(from_seq=2, put=(item(),), gone=(Gone(record="x", why="moved"),), more=True),
        Followed(id="config", epoch=1, seq=2),
    )
    assert effect is not None
    assert effect.followed == Followed(id="config", epoch=1, seq=5)
    assert [held.record for held in effect.put] == [ID]
    assert (effect.gone, effect.restart, effect.finish) == (("x",), False, False)


@pytest.mark.parametrize(
    "followed",
    [
        None,
        Followed(id="config", epoch=1, seq=1),
        Followed(id="config", epoch=2, seq=2),
        Followed(id="config"),
    ],
)
def test_a_page_that_does_not_follow_on_changes_nothing(followed):
    assert page_effect(page(from_seq=2), followed) is None


@pytest.mark.parametrize("start", [page(reset=True, from_seq=0), page(from_seq=0)])
def test_a_page_from_the_start_is_compared_with_what_is_held(start):
    effect = page_effect(start, Followed(id="config", epoch=9, seq=77))
    assert effect is not None
    assert effect.restart
    assert effect.finish


@given(st.lists(values.items(), max_size=5, unique_by=lambda item: item.record))
def test_the_digest_of_bodies_is_the_digest_of_their_hashes_in_any_order(items):
    held = [held_from(item, "config") for item in items]
    bodies = [each.body for each in held if each is not None]
    assert digest_of_bodies(bodies) == digest_of_bodies(reversed(bodies))
    assert digest_of_bodies([*bodies, *bodies]) == EMPTY_DIGEST


# outcomes


def test_a_mutation_that_is_not_listed_was_applied_if_the_sequence_passed_it():
    said = settlement(
        reply(settled_through=2),
        sent=[(1, "a"), (2, "b"), (3, "c")],
        settled=[],
        incarnation=None,
    )
    assert [(each.n, each.outcome, each.record) for each in said.final] == [
        (1, Outcome.APPLIED, "a"),
        (2, Outcome.APPLIED, "b"),
    ]


def test_a_listed_outcome_is_final_unless_it_says_retry():
    listed = (
        WireOutcome(n=1, outcome=Outcome.INVALID, code=Code.BAD_VALUE),
        WireOutcome(n=2, outcome=Outcome.RETRY, code=Code.GAP),
    )
    said = settlement(
        reply(settled_through=1, outcomes=listed),
        sent=[(1, "a"), (2, "b")],
        settled=[],
        incarnation="i1",
    )
    assert said.final == listed[:1]
    assert not said.identity_doubtful


@pytest.mark.parametrize("code", [Code.REUSED_N, Code.STALE_LEASE])
def test_a_doubted_identity_is_noticed(code):
    outcome = WireOutcome(n=1, outcome=Outcome.QUARANTINED, code=code)
    said = settlement(reply(outcomes=(outcome,)), sent=[(1, "a")], settled=[], incarnation="i1")
    assert said.identity_doubtful


@pytest.mark.parametrize(("incarnation", "again"), [("i1", ()), (None, ()), ("i0", (3, 5))])
def test_only_a_new_incarnation_makes_lost_work_be_offered_again(incarnation, again):
    said = settlement(
        reply(settled_through=2), sent=[], settled=[1, 2, 5, 3], incarnation=incarnation
    )
    assert said.offer_again == again


# what is shown


def held(state: Mapping[str, Any], rev: int = 3) -> Held | None:
    return held_from(item(state, rev=rev), "config")


def show(
    state: Mapping[str, Any] | None, *overlay: Mutation, created_here: bool = False
) -> Shown | None:
    return shown_record(
        None if state is None else held(state), state, overlay, created_here=created_here
    )


def test_without_waiting_work_the_servers_state_is_shown():
    shown = show({"title": "a"})
    assert shown is not None
    assert (shown.state, shown.rev, shown.kind, shown.pending) == (
        {"title": "a"},
        3,
        "task",
        (),
    )


def test_waiting_work_is_laid_over_in_order():
    shown = show(
        {"door": "1", "languages": ["cmn", "yue"], "size_band": "1"},
        work(1, set={"door": "2", "size_band": None}, add={"languages": ("nan",)}),
        work(2, set={"door": "3"}, remove={"languages": ("yue", "hak")}),
    )
    assert shown is not None
    assert shown.state == {"door": "3", "languages": ["cmn", "nan"]}
    assert shown.pending == (1, 2)


@pytest.mark.parametrize(
    ("status", "act", "expected"),
    [
        ("assigned", "start", "in_progress"),
        (None, "finish", "done"),
        ("done", "start", "done"),
        ("assigned", "confirm", "assigned"),
        ("assigned", "dance", "assigned"),
    ],
)
def test_a_claim_shows_the_state_it_asks_for_and_never_a_lower_one(status, act, expected):
    shown = show({} if status is None else {"status": status}, work(act=act))
    assert shown is not None
    assert shown.state["status"] == expected


def test_a_set_with_nothing_left_in_it_is_not_shown():
    shown = show({"languages": ["yue"]}, work(remove={"languages": ("yue",)}))
    assert shown is not None
    assert shown.state == {}


def test_a_record_made_here_is_shown_before_the_server_knows_it():
    place = Position(lon_e7=7, lat_e7=8, datum=Datum.GCJ02, accuracy_cm=500)
    shown = show(None, work(base=0, set={"title": "a"}, position=place), created_here=True)
    assert shown is not None
    assert shown.rev == 0
    assert shown.state == {"title": "a", "lon_e7": 7, "lat_e7": 8}


def test_a_record_that_left_is_not_brought_back_by_edits():
    assert show(None, work(set={"title": "a"})) is None
    assert show(None) is None
