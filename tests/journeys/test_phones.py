"""Phones out of reach: lost answers, wrong clocks, places on the edge, two at one record."""

import itertools

import pytest

from clients.phone.faults import Fault
from sync.mutation import Datum, Position
from tests.journeys.day import HOUR_MS, MINUTE_MS, Day, about, became, report
from tests.world import centre_e7

PLAIN = ("applied", None)


def test_the_same_upload_twice_makes_nothing_new(day: Day) -> None:
    """Story 3: the reply is lost and the batch of 40 sent again: same outcomes, no new rows."""
    ann = day.phone("ann")
    home = day.world.households["G1"]
    notes = [ann.create("note", set={"parent": home, "text": f"{n}"}) for n in range(40)]
    day.weather[id(ann)].coming.append(Fault.LOSE_REPLY)
    assert ann.sync().failure is not None
    day.at(9)
    report_ = ann.sync()
    assert report_.up_to_date
    assert {each.outcome.value for each in report_.outcomes.values()} == {"applied"}
    assert all(each.replayed for each in report_.outcomes.values())
    stored = [day.items(f"/v1/records/{each}/history") for each in notes]
    assert [len(each) for each in stored] == [1] * 40


def test_a_batch_that_is_cut_keeps_what_arrived_and_the_rest_follows(day: Day) -> None:
    """Story 4: the connection breaks in the middle; nothing is missing and nothing is twice."""
    ann = day.phone("ann")
    home = day.world.households["G1"]
    notes = [ann.create("note", set={"parent": home, "text": f"{n}"}) for n in range(230)]
    day.weather[id(ann)].coming.extend([Fault.CUT, Fault.LOSE_REQUEST])
    for hour in (9, 10, 11):
        day.at(hour)
        ann.sync()
    assert ann.pending() == []
    assert ann.is_up_to_date()
    held = {each.record for each in ann.records("note")}
    assert set(notes) <= held


@pytest.mark.parametrize(
    ("shift_ms", "quality"), [(3 * 24 * HOUR_MS, "exact"), (-2 * HOUR_MS, "exact")]
)
def test_a_wrong_clock_of_one_boot_is_corrected_exactly(
    day: Day, shift_ms: int, quality: str
) -> None:
    """Stories 24 and 25: three days ahead, or set back mid-shift: true times, true order."""
    ann = day.phone("ann")
    clock = day.clock_of(ann)
    day.at(9)
    before = report(ann)
    clock.set_wall(clock.wall_ms + shift_ms)
    day.at(10)
    after = report(ann)
    day.at(12)
    assert ann.sync().up_to_date
    times = [day.read(f"/v1/reports/{each}")["observed_at_ms"] for each in (before, after)]
    assert times == [about(day.ms(9)), about(day.ms(10))]
    history = day.items(f"/v1/records/{after}/history")
    assert history[0]["quality"] == quality


def test_a_restart_with_a_wrong_clock_is_estimated_and_says_so(day: Day) -> None:
    """Story 26: rebooted and wrong: estimated from the offset seen at this contact."""
    ann = day.phone("ann")
    clock = day.clock_of(ann)
    clock.set_wall(clock.wall_ms + 40 * MINUTE_MS)
    day.at(9)
    seen = report(ann)
    clock.reboot("another boot")
    day.at(11)
    assert ann.sync().up_to_date
    assert day.read(f"/v1/reports/{seen}")["observed_at_ms"] == about(day.ms(9))
    assert day.items(f"/v1/records/{seen}/history")[0]["quality"] == "estimated"


@pytest.mark.parametrize("wall_ms", [0, 10 * 365 * 24 * HOUR_MS * 5])
def test_a_clock_that_went_astray_is_no_reason_to_refuse(day: Day, wall_ms: int) -> None:
    """1970 and the far future, after a restart: taken in, clamped, never in the future."""
    ann = day.phone("ann")
    clock = day.clock_of(ann)
    day.at(9)
    clock.set_wall(wall_ms)
    clock.reboot("astray")
    seen = report(ann)
    clock.set_wall(day.now_ms)
    clock.reboot("right again")
    day.at(10)
    assert ann.sync().up_to_date
    observed = day.read(f"/v1/reports/{seen}")["observed_at_ms"]
    assert day.ms(8) - 30_000 <= observed <= day.ms(10) + 30_000
    assert day.items(f"/v1/records/{seen}/history")[0]["quality"] == "clamped"


def test_a_place_outside_all_grids_is_taken_in_for_its_reporter(day: Day) -> None:
    """Story 17: a river island: accepted; it stays with who reported it until placed."""
    ann = day.phone("ann")
    lon_e7, lat_e7 = centre_e7(0)
    place = Position(lon_e7=lon_e7, lat_e7=lat_e7 + 10**7, datum=Datum.WGS84, accuracy_cm=500)
    seen = ann.create("report", set={"class": "0402"}, position=place)
    day.at(9)
    assert ann.sync().up_to_date
    assert became(ann) == [PLAIN]
    shown = ann.shown(seen)
    assert shown is not None
    assert "grid" not in shown.state


def test_a_place_on_the_edge_is_marked_uncertain_and_owned_by_one_grid(day: Day) -> None:
    """Story 15: 60 m accuracy near a border: one grid owns it, and it is not certain."""
    ann = day.phone("ann")
    certain = report(ann)
    doubtful = report(ann, east_m=45, accuracy_cm=6_000)
    day.at(9)
    assert ann.sync().up_to_date
    assert day.read(f"/v1/reports/{certain}")["certain"] is True
    seen = day.read(f"/v1/reports/{doubtful}")
    assert seen["certain"] is False
    assert seen["grid"] in set(day.world.grids.values())


def test_two_values_of_one_field_wait_for_a_person_and_disjoint_ones_merge(day: Day) -> None:
    """Stories 18 and 19: both values kept for the office; other fields merge silently."""
    ann, bob = day.phone("ann"), day.phone("bob")
    home = day.world.households["G1"]
    ann.edit(home, set={"contact_phone": "555-12", "door": "7"})
    bob.edit(home, set={"contact_phone": "555-21"})
    bob.edit(home, set={"status": "moved_out"})
    day.at(9)
    assert ann.sync().up_to_date
    assert bob.sync().up_to_date
    assert became(bob)[0][0] == "conflict"
    (conflict,) = [
        each
        for each in day.items("/v1/conflicts", status="open")
        if each["field"] == "contact_phone"
    ]
    assert {each["value"] for each in conflict["values"]} == {"****12", "****21"}
    day.console("dispatcher").post(
        f"/v1/conflicts/{conflict['id']}/resolve", {"value": "555-12"}, rev=conflict["rev"]
    )
    day.at(10)
    for phone in (ann, bob):
        assert phone.sync().up_to_date
        shown = phone.shown(home)
        assert shown is not None
        assert (shown.state["contact_phone"], shown.state["door"]) == ("555-12", "7")


def test_a_household_made_offline_with_its_visit_and_residents_lands_in_order(
    day: Day,
) -> None:
    """Story 21: ids made on the phone are valid on the server, dependants land with them."""
    ann = day.phone("ann")
    home = ann.create("household", set={"dwelling": day.world.dwellings["G1"], "door": "9"})
    resident = ann.create("resident", set={"household": home, "name": "Sample Person"})
    visit = ann.create("visit", set={"household": home, "outcome": "done"})
    day.at(12)
    assert ann.sync().up_to_date
    assert became(ann) == [PLAIN] * 3
    found = day.read(f"/v1/households/{home}")
    assert [each["id"] for each in found["residents"]] == [resident]
    assert [each["id"] for each in day.items(f"/v1/households/{home}/visits")] == [visit]


def test_a_visit_where_nobody_should_visit_is_kept_and_the_wish_is_shown_next(
    day: Day,
) -> None:
    """Story 47: the wish was set while the worker was offline: nobody is blamed."""
    ann = day.phone("ann")
    home = day.world.households["G1"]
    rev = day.read(f"/v1/households/{home}")["rev"]
    day.console("dispatcher").patch(
        f"/v1/households/{home}", {"visit_preference": "no_visit"}, rev=rev
    )
    ann.create("visit", set={"household": home, "outcome": "done"})
    day.at(10)
    assert ann.sync().up_to_date
    assert became(ann) == [PLAIN]
    shown = ann.shown(home)
    assert shown is not None
    assert shown.state["visit_preference"] == "no_visit"


def test_two_reports_of_one_thing_join_when_the_second_names_the_first(day: Day) -> None:
    """Story 1, as a worker sees it: the second names the incident; one case, two reports."""
    ann, bob = day.phone("ann"), day.phone("bob")
    first = report(ann)
    day.at(8, 10)
    assert ann.sync().up_to_date
    assert bob.sync().up_to_date
    incident = day.read(f"/v1/reports/{first}")["incident"]
    second = report(bob, incident=incident)
    day.at(9)
    assert bob.sync().up_to_date
    case = day.read(f"/v1/incidents/{incident}")
    assert {each["id"] for each in case["reports"]} == {first, second}
    earliest = min(each["observed_at_ms"] for each in case["reports"])
    assert case["observed_at_ms"] == earliest


def test_ids_are_never_given_twice(day: Day) -> None:
    """Whatever is made offline on two phones has ids of its own."""
    ann, bob = day.phone("ann"), day.phone("bob")
    made = [report(each) for each in itertools.islice(itertools.cycle((ann, bob)), 10)]
    assert len(set(made)) == 10
