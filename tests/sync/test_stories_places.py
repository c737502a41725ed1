"""Where records live, and who may write there: the domain's stories."""

from sync.known import Interval, Located
from sync.outcome import Code, Outcome
from tests.sync.backend import (
    DWELLING,
    GRID,
    HOUR,
    HOUSEHOLD,
    OTHER_GRID,
    START,
    at,
    outcomes,
    uid,
)

INCIDENT, TASK = uid("story incident"), uid("story task")
HERE = Located(grid=GRID, lon_e7=1, lat_e7=2, certain=True)


def clock(hours: int, minutes: int = 0) -> int:
    return START + hours * HOUR + minutes * HOUR // 60


def test_moved_to_another_grid_while_offline(backend, anna):
    """Story 30: edits before the move apply, later ones wait, facts are kept either way."""
    noon = clock(12)
    backend.authority = {
        f"grid:{GRID}": (Interval(lo_ms=0, hi_ms=noon),),
        f"grid:{OTHER_GRID}": (Interval(lo_ms=noon, hi_ms=None),),
    }
    early, late = noon - 1, noon
    visit = {"household": HOUSEHOLD, "outcome": "done"}
    plan = backend.push(
        anna,
        anna.mutation(HOUSEHOLD, "household", base=1, set={"door": "a"}, at_ms=early),
        anna.mutation(HOUSEHOLD, "household", base=1, set={"door": "b"}, at_ms=late),
        anna.mutation(uid("visit"), "visit", set=visit, at_ms=late),
        anna.mutation(uid("home"), "household", set={"dwelling": DWELLING}, at_ms=late),
    )
    assert outcomes(plan) == [Outcome.APPLIED, Outcome.HELD, Outcome.APPLIED, Outcome.HELD]
    assert plan.answers[1].code is Code.NOT_IN_SCOPE
    assert backend.state(HOUSEHOLD)["door"] == "a"


def test_a_fact_about_what_its_author_may_not_know_waits_like_one_about_nothing(backend, anna):
    backend.authority = {}
    for parent, child in ((HOUSEHOLD, HOUSEHOLD), (uid("nothing"), uid("nothing"))):
        plan = backend.push(
            anna,
            anna.mutation(
                uid("visit", parent), "visit", set={"household": parent, "outcome": "refused"}
            ),
            anna.mutation(uid("note", parent), "note", set={"parent": child, "text": "!"}),
        )
        assert [(each.outcome, each.code, each.rev) for each in plan.answers] == [
            (Outcome.HELD, Code.UNKNOWN_PARENT, 0)
        ] * 2
        assert [each.field for each in plan.answers] == ["household", "parent"]
        assert not plan.writes


def test_a_report_is_taken_from_anybody_and_so_is_what_they_add_to_it(backend, anna):
    backend.authority = {}
    report, note = uid("report"), uid("note")
    said = {"class": "leak"}
    made = backend.do(anna, report, "report", set=said, position=at(), located=HERE)
    assert made.outcome is Outcome.APPLIED
    assert backend.record(report).bucket == f"grid:{GRID}"
    for record, parent in ((note, report), (uid("note on the note"), note)):
        added = backend.do(anna, record, "note", set={"parent": parent, "text": "!"})
        assert added.outcome is Outcome.APPLIED
        assert backend.record(record).bucket == f"grid:{GRID}"


def test_a_fact_about_a_household_that_was_moved_away_meanwhile_is_taken(backend, anna, office):
    backend.do(office, HOUSEHOLD, "household", set={"grid": OTHER_GRID})
    backend.authority = {f"grid:{GRID}": (Interval(lo_ms=0, hi_ms=None),)}
    visit = {"household": HOUSEHOLD, "outcome": "done"}
    assert backend.do(anna, uid("visit"), "visit", set=visit).outcome is Outcome.APPLIED
    assert backend.record(uid("visit")).bucket == f"grid:{OTHER_GRID}"
    edit = backend.do(anna, HOUSEHOLD, "household", set={"door": "b"})
    assert (edit.outcome, edit.code) == (Outcome.HELD, Code.NOT_IN_SCOPE)


def test_nobody_comes_to_know_a_household_because_its_grid_was_cleared(backend, anna, office):
    backend.do(office, HOUSEHOLD, "household", set={"grid": None})
    backend.authority = {}
    visit = {"household": HOUSEHOLD, "outcome": "done"}
    answer = backend.do(anna, uid("visit"), "visit", set=visit)
    assert (answer.outcome, answer.code) == (Outcome.HELD, Code.UNKNOWN_PARENT)
    edit = backend.do(anna, HOUSEHOLD, "household", set={"door": "b"})
    assert (edit.outcome, edit.code, edit.rev) == (Outcome.HELD, Code.UNKNOWN_RECORD, 0)


def test_a_fact_about_a_task_is_taken_from_whoever_ever_had_it(backend, anna, bo, office):
    backend.do(office, INCIDENT, "incident", set={"class": "leak", "grid": GRID})
    args = {"task": TASK, "assignee": anna.account}
    backend.do(office, INCIDENT, "incident", act="dispatch", args=args)
    backend.do(office, TASK, "task", act="assign", args={"assignee": bo.account})
    backend.authority = {}
    for device in (anna, bo):
        said = {"parent": TASK, "text": "!"}
        added = backend.do(device, uid("note", device.name), "note", set=said)
        assert added.outcome is Outcome.APPLIED


def test_a_report_that_names_an_incident_its_author_may_not_know_gets_its_own(
    backend, anna, office
):
    backend.do(office, INCIDENT, "incident", set={"class": "leak", "grid": GRID})
    known = uid("report", "known")
    joined = backend.do(anna, known, "report", set={"class": "leak", "incident": INCIDENT})
    assert (joined.outcome, backend.state(known)["incident"]) == (Outcome.APPLIED, INCIDENT)
    backend.authority = {}
    for named in (INCIDENT, HOUSEHOLD, uid("no incident")):
        report = uid("report", named)
        answer = backend.do(anna, report, "report", set={"class": "leak", "incident": named})
        assert (answer.outcome, answer.code) == (Outcome.RECORDED, Code.UNKNOWN_PARENT)
        assert (answer.field, answer.rev) == ("incident", 1)
        own = backend.state(report)["incident"]
        assert own != named
        assert backend.record(own).kind == "incident"


def test_a_mutation_of_another_worker_on_the_same_phone_waits(backend, anna, bo):
    edit = {"base": 1, "set": {"door": "a"}}
    held = anna.mutation(HOUSEHOLD, "household", actor=bo.account, **edit)
    own = anna.mutation(HOUSEHOLD, "household", actor=anna.account, **edit)
    plan = backend.push(anna, held, own)
    assert outcomes(plan) == [Outcome.HELD, Outcome.APPLIED]
    assert plan.answers[0].code is Code.UNKNOWN_ACTOR


def test_a_report_outside_all_grids_lives_with_its_reporter(backend, anna):
    report = uid("report")
    nowhere = Located(grid=None, lon_e7=1, lat_e7=2, certain=False)
    backend.do(anna, report, "report", set={"class": "leak"}, position=at(), located=nowhere)
    record = backend.record(report)
    assert record.bucket == f"user:{anna.account}"
    assert "grid" not in backend.state(report)
    note = backend.do(anna, uid("note"), "note", set={"parent": report, "text": "!"})
    assert note.outcome is Outcome.APPLIED
    assert backend.record(uid("note")).bucket == f"user:{anna.account}"


def test_a_measured_place_counts_more_than_what_a_phone_says_and_less_than_an_office(
    backend, anna, office
):
    for device, expected in ((anna, GRID), (office, OTHER_GRID)):
        report = uid("report", device.name)
        said = {"class": "leak", "grid": OTHER_GRID}
        backend.do(device, report, "report", set=said, position=at(), located=HERE)
        assert backend.state(report)["grid"] == expected


def test_a_phone_may_name_the_grid_of_a_report_without_a_place(backend, anna):
    for grid, bucket in (
        (OTHER_GRID, f"grid:{OTHER_GRID}"),
        (uid("no grid"), f"user:{anna.account}"),
        (HOUSEHOLD, f"user:{anna.account}"),
    ):
        report = uid("report", grid)
        backend.do(anna, report, "report", set={"class": "leak", "grid": grid})
        assert backend.record(report).bucket == bucket


def test_an_office_must_name_a_grid_that_exists(backend, office):
    for record, kind, said in (
        (uid("incident"), "incident", {"class": "leak", "grid": uid("no grid")}),
        (HOUSEHOLD, "household", {"grid": uid("no grid")}),
    ):
        answer = backend.do(office, record, kind, set=said)
        assert (answer.outcome, answer.code) == (Outcome.HELD, Code.UNKNOWN_PARENT)
        assert answer.field == "grid"


def test_an_office_moves_a_household_to_another_grid_and_a_phone_may_not(backend, anna, office):
    moved = backend.do(anna, HOUSEHOLD, "household", set={"grid": OTHER_GRID})
    assert (moved.outcome, moved.code) == (Outcome.INVALID, Code.IMMUTABLE_FIELD)
    same = backend.do(anna, HOUSEHOLD, "household", set={"grid": GRID, "door": "a"})
    assert same.outcome is Outcome.APPLIED
    born = backend.do(
        anna, uid("home"), "household", set={"dwelling": DWELLING, "grid": OTHER_GRID}
    )
    assert born.code is Code.IMMUTABLE_FIELD
    backend.do(office, HOUSEHOLD, "household", set={"grid": OTHER_GRID})
    assert backend.record(HOUSEHOLD).bucket == f"grid:{OTHER_GRID}"
    backend.do(office, HOUSEHOLD, "household", set={"grid": None})
    assert backend.record(HOUSEHOLD).bucket == f"grid:{OTHER_GRID}"


def test_a_note_about_a_class_does_not_reach_everybody(backend, anna, office):
    leak = uid("class")
    backend.do(office, leak, "class", set={"code": "leak", "name": "Leak"})
    assert backend.record(leak).bucket == "config"
    backend.do(anna, uid("note"), "note", set={"parent": leak, "text": "!"})
    assert backend.record(uid("note")).bucket == f"user:{anna.account}"


def test_an_announcement_lives_with_its_area_and_phones_do_not_write_it(backend, anna, office):
    area, record = uid("street"), uid("announcement")
    said = {"area": area, "title": "Water off", "text": "On Tuesday.", "valid_until_ms": 1}
    assert backend.do(office, record, "announcement", set=said).outcome is Outcome.APPLIED
    assert backend.record(record).bucket == f"area:{area}"
    assert backend.state(record) == said
    moved = backend.do(office, record, "announcement", set={"area": uid("other street")})
    assert (moved.outcome, moved.code) == (Outcome.INVALID, Code.IMMUTABLE_FIELD)
    edit = backend.do(anna, record, "announcement", set={"title": "Water on"})
    assert (edit.outcome, edit.code) == (Outcome.INVALID, Code.READ_ONLY_KIND)
