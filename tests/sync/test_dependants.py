"""What belongs to a record and lives with it moves with it, whichever comes first."""

from sync.dependants import Family, leader_of
from sync.outcome import Outcome
from tests.sync.backend import DWELLING, GRID, HOUSEHOLD, OTHER_GRID, uid, view
from tests.sync.casework import TASK_ID

NOTE, ON_NOTE, RESIDENT, VISIT = (uid(each) for each in ("note", "on note", "wu", "visit"))
MOVED = {"set": {"grid": OTHER_GRID}}


def settle_in(backend, anna):
    """A resident, a visit, a note about the resident and a note about that note."""
    made = (
        (RESIDENT, "resident", {"household": HOUSEHOLD, "name": "Wu"}),
        (VISIT, "visit", {"household": HOUSEHOLD, "outcome": "done"}),
        (NOTE, "note", {"parent": RESIDENT, "text": "!"}),
        (ON_NOTE, "note", {"parent": NOTE, "text": "!"}),
    )
    for record, kind, fields in made:
        assert backend.do(anna, record, kind, set=fields).outcome is Outcome.APPLIED


def test_everything_below_follows_with_a_grid_of_its_own(backend, anna, office):
    settle_in(backend, anna)
    backend.do(office, HOUSEHOLD, "household", **MOVED)
    for each in (HOUSEHOLD, RESIDENT, VISIT, NOTE, ON_NOTE):
        assert backend.record(each).bucket == f"grid:{OTHER_GRID}"
        assert backend.state(each)["grid"] == OTHER_GRID
        assert "conflicts" not in backend.state(each)


def test_before_or_after_the_move_makes_no_difference(backend, anna, office):
    other = backend.copy()
    settle_in(backend, anna)
    backend.do(office, HOUSEHOLD, "household", base=1, **MOVED)
    office.n -= 1
    anna.n = 0
    other.do(office, HOUSEHOLD, "household", base=1, **MOVED)
    settle_in(other, anna)
    assert view(backend.records()) == view(other.records())


def test_a_dwelling_takes_its_households_along(backend, anna, office):
    settle_in(backend, anna)
    backend.do(office, DWELLING, "dwelling", **MOVED)
    assert {backend.record(each).bucket for each in (HOUSEHOLD, NOTE)} == {f"grid:{OTHER_GRID}"}


def test_what_lives_elsewhere_stays_there(backend, anna, office):
    settle_in(backend, anna)
    backend.do(office, RESIDENT, "resident", **MOVED)
    backend.do(office, HOUSEHOLD, "household", set={"grid": OTHER_GRID})
    backend.do(office, VISIT, "visit", set={"grid": GRID})
    backend.do(office, HOUSEHOLD, "household", set={"grid": GRID})
    assert backend.record(RESIDENT).bucket == f"grid:{GRID}"
    assert backend.record(RESIDENT).rev == 3


def test_an_edit_by_a_phone_meets_the_move_in_another_field(backend, anna, office):
    settle_in(backend, anna)
    backend.do(office, HOUSEHOLD, "household", **MOVED)
    answer = backend.do(anna, RESIDENT, "resident", base=1, set={"phone": "7"})
    assert answer.outcome is Outcome.MERGED
    assert backend.state(RESIDENT)["phone"] == "7"


def test_what_is_made_in_the_same_batch_follows_too(backend, office):
    batch = [
        office.mutation(RESIDENT, "resident", set={"household": HOUSEHOLD, "name": "Wu"}),
        office.mutation(HOUSEHOLD, "household", base=1, **MOVED),
        office.mutation(NOTE, "note", set={"parent": RESIDENT, "text": "!"}),
        office.mutation(HOUSEHOLD, "household", base=2, set={"grid": GRID}),
    ]
    backend.push(office, *batch)
    for each in (RESIDENT, NOTE):
        assert backend.record(each).bucket == f"grid:{GRID}"


def test_a_task_follows_its_incident_and_a_claim_its_task(dispatched):
    case = dispatched
    case.backend.do(case.worker, TASK_ID, "task", act="start", args={"result": "on it"})
    case.backend.do(case.office, case.incident, "incident", **MOVED)
    records = case.backend.records().values()
    kinds = {each.kind for each in records if each.bucket == f"grid:{OTHER_GRID}"}
    assert kinds >= {"incident", "task", "report", "claim"}


def test_a_family_learns_only_after_it_was_asked(backend):
    family = Family(backend.records())
    family.note([backend.record(HOUSEHOLD)])
    assert family.below(DWELLING) == [HOUSEHOLD]
    assert leader_of(backend.record(GRID)) is None
    family.note([backend.record(GRID)])
    assert family.below(GRID) == []


def test_what_belongs_to_a_task_in_no_grid_follows_it_from_worker_to_worker(
    backend, anna, bo, office
):
    incident = uid("incident nowhere")
    backend.do(office, incident, "incident", set={"class": "leak"})
    given = {"task": TASK_ID, "assignee": anna.account}
    backend.do(office, incident, "incident", act="dispatch", args=given)
    backend.do(anna, NOTE, "note", set={"parent": TASK_ID, "text": "!"})
    backend.do(office, TASK_ID, "task", act="assign", args={"assignee": bo.account})
    for each in (TASK_ID, NOTE):
        assert backend.record(each).bucket == f"user:{bo.account}"
        assert "grid" not in backend.state(each)
