"""Somebody asked that nobody uses what is held about them: hidden, kept, and lifted again."""

from hypothesis import given
from hypothesis import strategies as st

from sync.lifecycle import LIFT, RESTRICT
from sync.outcome import Code, Outcome
from sync.restricting import REQUESTS_MAX, hidden_state
from sync.state import is_erased, restricted_for, state_of
from tests.sync.backend import HOUSEHOLD, Device, town, uid, view

REQUESTS = [uid(f"request {n}") for n in range(REQUESTS_MAX + 1)]
PERSON, VISIT, NOTE = uid("person"), uid("a visit"), uid("a note")


def people(backend, anna):
    backend.do(anna, PERSON, "resident", set={"household": HOUSEHOLD, "name": "Example"})
    visited = {"household": HOUSEHOLD, "outcome": "done", "text": "tea"}
    backend.do(anna, VISIT, "visit", set=visited)
    backend.do(anna, NOTE, "note", set={"parent": PERSON, "text": "likes tea"})


def act(backend, office, name, record=HOUSEHOLD, kind="household", request=REQUESTS[0]):
    return backend.do(office, record, kind, act=name, args={"request": request})


def test_all_that_belongs_to_a_record_is_restricted_with_it_and_lifted_with_it(
    backend, anna, office
):
    people(backend, anna)
    before = view(backend.records())
    assert act(backend, office, RESTRICT).outcome is Outcome.APPLIED
    for each in (HOUSEHOLD, PERSON, VISIT, NOTE):
        assert restricted_for(backend.record(each)) == (REQUESTS[0],)
    assert act(backend, office, RESTRICT).outcome is Outcome.UNCHANGED
    assert act(backend, office, LIFT, request=REQUESTS[1]).outcome is Outcome.UNCHANGED
    assert act(backend, office, LIFT).outcome is Outcome.APPLIED
    assert not any(restricted_for(each) for each in backend.records().values())
    assert view(backend.records()) == before
    assert act(backend, anna, RESTRICT).code is Code.NOT_ALLOWED


def test_what_is_said_of_it_waits_facts_are_kept_hidden_and_nothing_is_lost(
    backend, anna, office
):
    people(backend, anna)
    act(backend, office, RESTRICT)
    edit = backend.do(anna, HOUSEHOLD, "household", set={"door": "9"})
    assert (edit.outcome, edit.code) == (Outcome.HELD, Code.RESTRICTED)
    born = backend.do(
        anna, uid("child"), "resident", set={"household": HOUSEHOLD, "name": "Another"}
    )
    assert (born.outcome, born.code) == (Outcome.HELD, Code.RESTRICTED)
    late, remark = uid("late"), uid("remark")
    for record, kind, values in (
        (late, "visit", {"household": HOUSEHOLD, "outcome": "not_home"}),
        (remark, "note", {"parent": late, "text": "dog"}),
    ):
        told = backend.do(anna, record, kind, set=values)
        assert (told.outcome, told.code) == (Outcome.RECORDED, Code.RESTRICTED)
        assert restricted_for(backend.record(record)) == (REQUESTS[0],)
    resolved = backend.do(
        office, HOUSEHOLD, "household", act="resolve", args={"field": "door", "value": "1"}
    )
    assert (resolved.outcome, resolved.code) == (Outcome.RECORDED, Code.RESTRICTED)
    act(backend, office, LIFT)
    assert backend.rule(office, anna, edit.n).outcome in {Outcome.APPLIED, Outcome.MERGED}
    assert backend.state(HOUSEHOLD)["door"] == "9"
    assert backend.rule(office, anna, born.n).outcome is Outcome.APPLIED
    assert backend.state(late)["outcome"] == "not_home"
    assert not any(restricted_for(each) for each in backend.records().values())


def test_nothing_is_merged_into_it_and_erasing_ends_it(backend, anna, office):
    people(backend, anna)
    other = uid("other person")
    backend.do(anna, other, "resident", set={"household": HOUSEHOLD, "name": "Example"})
    act(backend, office, RESTRICT, PERSON, "resident")
    into = {"into": PERSON, "text": "same"}
    merged = backend.do(office, other, "resident", act="merge_into", args=into)
    assert (merged.outcome, merged.code) == (Outcome.RECORDED, Code.RESTRICTED)
    gone = backend.do(office, PERSON, "resident", act="erase", args={"reason": "person_asked"})
    assert gone.outcome is Outcome.APPLIED
    assert restricted_for(backend.record(PERSON)) == ()
    assert act(backend, office, RESTRICT).outcome is Outcome.APPLIED
    assert is_erased(backend.record(PERSON))


def test_a_table_shows_ids_and_bare_facts_only(backend, anna):
    people(backend, anna)
    shown = {}
    for each in (HOUSEHOLD, PERSON, VISIT, NOTE):
        record = backend.record(each)
        shown[each] = hidden_state(record, state_of(record))
    assert shown[PERSON]["name"] == "-"
    assert shown[NOTE]["text"] == "-"
    assert shown[VISIT]["outcome"] == "done"
    assert "text" not in shown[VISIT]
    assert shown[HOUSEHOLD].keys() == {"dwelling", "grid"}


def test_so_many_requests_and_no_more(backend, office):
    for request in REQUESTS[:REQUESTS_MAX]:
        assert act(backend, office, RESTRICT, request=request).outcome is Outcome.APPLIED
    told = act(backend, office, RESTRICT, request=REQUESTS[REQUESTS_MAX])
    assert (told.outcome, told.code) == (Outcome.RECORDED, Code.WRONG_STATE)


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from([RESTRICT, LIFT]), st.booleans(), st.sampled_from(REQUESTS[:3])
        ),
        max_size=10,
    )
)
def test_a_record_is_restricted_for_exactly_the_requests_that_are_not_lifted(steps):
    backend, anna, office = town(), Device("anna"), Device("office", console=True)
    people(backend, anna)
    home: set[str] = set()
    person: set[str] = set()
    for name, whole, request in steps:
        record, kind = (HOUSEHOLD, "household") if whole else (PERSON, "resident")
        present = request in (home if whole else person)
        told = act(backend, office, name, record, kind, request)
        assert (told.outcome is Outcome.UNCHANGED) == (present == (name == RESTRICT))
        if told.outcome is Outcome.APPLIED:
            for each in (home, person) if whole else (person,):
                each.add(request) if name == RESTRICT else each.discard(request)
        assert restricted_for(backend.record(HOUSEHOLD)) == tuple(sorted(home))
        assert restricted_for(backend.record(NOTE)) == tuple(sorted(person))
