"""The client contract (protocol section 9), one rule after the other."""

import itertools
import random

import httpx
import pytest

from clients.phone import Phone, SteppedClock
from clients.phone.faults import Fault
from clients.phone.phone import UnknownRecord
from sync.canonical import record_body
from sync.outcome import Code, Outcome
from tests.clients.lookups import household_of, requests_of
from tests.simulation import checks
from tests.simulation.city import GRIDS, WORKERS
from tests.simulation.model import START_MS

DAY_MS = 86_400_000


# work offline


def test_work_is_shown_at_once_and_waits(ann):
    household = household_of(ann)
    n = ann.phone.edit(household, set={"door": "7"}, add={"languages": ["yue"]})
    shown = ann.phone.shown(household)
    assert shown.state["door"] == "7"
    assert shown.state["languages"] == ["yue"]
    assert shown.pending == (n,)
    assert ann.phone.pending() == [n]


def test_a_record_made_here_is_listed_and_edited_before_any_contact(ann):
    household = household_of(ann)
    note = ann.phone.create("note", set={"parent": household, "text": "seen"})
    assert note in [shown.record for shown in ann.phone.records("note")]
    family = ann.phone.create("household", set={"dwelling": household})
    ann.phone.edit(family, set={"door": "2"})
    assert ann.phone.shown(family).state["door"] == "2"
    assert ann.phone.shown(family).rev == 0


def test_a_record_the_phone_does_not_show_cannot_be_edited(ann):
    with pytest.raises(UnknownRecord):
        ann.phone.edit("0193a1b2-0000-7000-8000-00000000dead", set={"door": "1"})


def test_what_the_protocol_cannot_carry_is_refused_without_using_a_number(ann):
    household = household_of(ann)
    with pytest.raises(ValueError, match=r"canonical|carried|float"):
        ann.phone.edit(household, set={"door": 0.5})
    with pytest.raises(ValueError, match="carried"):
        ann.phone.edit(household, set={"door": "x" * 70_000})
    assert ann.phone.edit(household, set={"door": "7"}) == 1


# numbers and bodies


def test_numbers_are_dense_and_survive_the_process(tmp_path, city):
    path = tmp_path / "phone.sqlite"

    def reopened() -> Phone:
        http = httpx.Client(transport=city.transport, base_url="http://model")
        clock = SteppedClock(wall_ms=START_MS)
        return Phone(path, http, clock=clock, chance=random.Random(1))  # noqa: S311

    phone = reopened()
    phone.enrol("", WORKERS[0])
    phone.sync()
    household = phone.records("household")[0].record
    assert [phone.edit(household, set={"door": str(n)}) for n in (1, 2)] == [1, 2]
    phone.close()
    phone = reopened()
    assert phone.edit(household, set={"door": "3"}) == 3
    assert phone.pending() == [1, 2, 3]
    assert phone.sync().up_to_date
    phone.close()
    phone = reopened()
    assert phone.pending() == []
    assert phone.is_up_to_date()
    phone.close()


def test_a_mutation_is_sent_again_byte_for_byte(city, ann):
    ann.phone.edit(household_of(ann), set={"door": "7"})
    city.transport.seen.clear()
    ann.weather.coming.append(Fault.LOSE_REPLY)
    ann.phone.sync()
    city.advance(5_000)
    ann.phone.sync()
    first, second = (content for _, content, _ in city.transport.seen)
    assert first.split(b'"mutations":')[1] == second.split(b'"mutations":')[1]


def test_a_lost_reply_costs_a_contact_and_changes_nothing_else(city, ann):
    household = household_of(ann)
    ann.phone.edit(household, set={"door": "7"})
    ann.weather.coming.append(Fault.LOSE_REPLY)
    lost = ann.phone.sync()
    assert lost.failure is not None
    assert lost.failure.slug == "no-reply"
    assert ann.phone.pending() == [1]
    rev = city.server.records[household].rev
    found = ann.phone.sync()
    assert found.outcomes[1].outcome is Outcome.APPLIED
    assert found.outcomes[1].replayed
    assert city.server.records[household].rev == rev


def test_a_group_is_not_cut_between_two_requests(city, ann):
    household = household_of(ann)
    for number in range(190):
        ann.phone.create("note", set={"parent": household, "text": f"note {number}"})
    family = ann.phone.create("household", set={"dwelling": household}, group="form")
    for number in range(20):
        said = {"household": family, "name": f"Resident {number}"}
        ann.phone.create("resident", set=said, group="form")
    ann.phone.edit(household, set={"door": "7"}, group="form")
    ann.phone.edit(household, set={"door": "8"})
    city.transport.seen.clear()
    ann.phone.sync()
    sent = [[each["n"] for each in request["mutations"]] for request in requests_of(city)]
    assert [len(batch) for batch in sent] == [190, 23]
    held = [each.code for each in ann.phone.outcomes() if each.outcome is Outcome.HELD]
    assert held == [Code.UNKNOWN_PARENT, *[Code.GROUP_FAILED] * 21]
    assert ann.phone.shown(household).state["door"] == "8"


def test_a_group_that_no_request_carries_is_sent_in_parts_and_does_not_stop_the_queue(ann):
    household = household_of(ann)
    for number in range(250):
        ann.phone.edit(household, set={"door": str(number)}, group="form")
    ann.phone.edit(household, set={"door": "last"})
    assert ann.phone.sync().up_to_date
    codes = [each.code for each in ann.phone.outcomes()]
    assert set(codes[:200]) == {Code.GROUP_TOO_LARGE}
    assert set(codes[200:250]) == {Code.GROUP_CUT}
    assert ann.phone.shown(household).state["door"] == "last"


def test_work_goes_out_in_order_and_within_the_limits(city, ann):
    household = household_of(ann)
    for number in range(450):
        ann.phone.create("note", set={"parent": household, "text": f"note {number}"})
    city.transport.seen.clear()
    report = ann.phone.sync()
    sent = [[each["n"] for each in request["mutations"]] for request in requests_of(city)]
    assert [len(batch) for batch in sent] == [200, 200, 50]
    assert list(itertools.chain(*sent)) == list(range(1, 451))
    assert report.up_to_date
    assert report.round_trips == 3


def test_a_request_stays_within_its_bytes(city, ann):
    household = household_of(ann)
    for _ in range(60):
        ann.phone.create("note", set={"parent": household, "text": "x" * 30_000})
    city.transport.seen.clear()
    assert ann.phone.sync().up_to_date
    assert all(len(content) <= 1_048_576 for _, content, _ in city.transport.seen)
    assert len(city.transport.seen) == 2


def test_the_worker_who_took_the_phone_over_is_named(city, ann):
    ann.phone.hand_over(WORKERS[1])
    ann.phone.create("note", set={"parent": household_of(ann), "text": "mine"})
    ann.phone.hand_over(None)
    ann.phone.create("note", set={"parent": household_of(ann), "text": "hers"})
    city.transport.seen.clear()
    ann.phone.sync()
    actors = [each.get("actor") for each in requests_of(city)[0]["mutations"]]
    assert actors == [WORKERS[1], None]


# replies


def test_an_applied_edit_is_held_as_the_server_has_it(city, ann):
    household = household_of(ann)
    ann.phone.edit(household, set={"door": "7"})
    report = ann.phone.sync()
    assert report.outcomes[1].outcome is Outcome.APPLIED
    assert (report.round_trips, report.put) == (1, 1)
    assert ann.phone.shown(household).pending == ()
    checks.check_converged(city, ann)


def test_nonsense_is_final_and_the_worker_learns_why(ann):
    ann.phone.create("household", set={"surprise": 1})
    ann.phone.edit(household_of(ann), set={"door": "7"})
    report = ann.phone.sync()
    assert report.outcomes[1].outcome is Outcome.INVALID
    assert report.outcomes[1].code == Code.UNKNOWN_FIELD
    assert report.outcomes[2].outcome is Outcome.APPLIED
    assert [each.n for each in ann.phone.outcomes()] == [1, 2]
    assert ann.phone.pending() == []


def test_the_report_counts_compressed_bytes(city, ann):
    household = household_of(ann)
    for _ in range(100):
        ann.phone.create("note", set={"parent": household, "text": "the same words again"})
    city.transport.seen.clear()
    report = ann.phone.sync()
    _, up, down = city.transport.seen[0]
    assert 1_000 < report.bytes_up < len(up) / 2
    assert 1_000 < report.bytes_down < len(down) / 2


def test_settled_work_is_kept_for_fourteen_days(city, ann):
    ann.phone.edit(household_of(ann), set={"door": "7"})
    ann.phone.sync()
    city.advance(14 * DAY_MS)
    ann.phone.sync()
    assert [each.n for each in ann.phone.outcomes()] == [1]
    city.advance(1)
    ann.phone.sync()
    assert ann.phone.outcomes() == []


# scope


def test_a_grid_that_was_taken_away_is_purged_and_the_outbox_stays(city, ann):
    household = next(
        shown.record
        for shown in ann.phone.records("household")
        if shown.state["grid"] == GRIDS[0]
    )
    ann.phone.edit(household, set={"door": "7"})
    city.server.unassign(WORKERS[0], GRIDS[0])
    ann.weather.coming.append(Fault.LOSE_REQUEST)
    ann.phone.sync()
    assert ann.phone.pending() == [1]
    report = ann.phone.sync()
    assert 1 in report.outcomes
    assert report.gone >= 2
    assert ann.phone.shown(household) is None
    assert all(row.bucket != f"grid:{GRIDS[0]}" for row in ann.phone._store.held_of_kind(None))
    checks.check_converged(city, ann)


def test_a_new_grid_arrives_with_the_next_contact(city, ann):
    city.server.assign(WORKERS[0], GRIDS[2])
    assert ann.phone.sync().up_to_date
    assert f"grid:{GRIDS[2]}" in ann.phone.digests()
    checks.check_converged(city, ann)


def test_a_record_that_moves_between_held_grids_stays_on_the_phone(city, ann):
    household = household_of(ann)
    before = ann.phone.shown(household).state["grid"]
    other = GRIDS[1] if before == GRIDS[0] else GRIDS[0]
    rev = city.server.records[household].rev
    city.server.decide(record=household, kind="household", base=rev, set={"grid": other})
    assert ann.phone.sync().up_to_date
    assert ann.phone.shown(household).state["grid"] == other
    checks.check_converged(city, ann)


# up to date


def test_a_phone_without_contact_does_not_say_it_is_up_to_date(city):
    assert not city.handsets[1].phone.is_up_to_date()


def test_bytes_that_changed_on_the_phone_are_noticed_and_fetched_again(city, ann):
    household = household_of(ann)
    held = ann.phone.held(household)
    body = record_body(held.record, held.kind, held.rev, {"door": "forged"})
    ann.phone._store._db.execute("UPDATE record SET body = ? WHERE id = ?", (body, household))
    assert not ann.phone.is_up_to_date()
    assert ann.phone.sync().up_to_date
    checks.check_converged(city, ann)


def test_a_record_the_server_no_longer_lists_is_dropped_when_the_bucket_starts_again(city, ann):
    store = ann.phone._store
    store._db.execute(
        "INSERT INTO record (id, bucket, kind, rev, hash, body)"
        " SELECT 'ghost', bucket, kind, rev, hash, body FROM record LIMIT 1"
    )
    assert not ann.phone.is_up_to_date()
    ann.phone.edit(household_of(ann), set={"door": "7"})
    assert ann.phone.sync().up_to_date
    assert store.held("ghost") is None
    checks.check_converged(city, ann)


def test_small_pages_give_the_same_replica(city):
    handset = city.handsets[1]
    handset.phone._store.keep_setting("page_bytes", 4_096)
    household = city.households[1]
    for number in range(80):
        city.must("note", city.new_id(), {"parent": household, "text": f"{number} " * 30})
    report = handset.phone.sync()
    assert report.round_trips > 2
    assert report.up_to_date
    checks.check_converged(city, handset)
