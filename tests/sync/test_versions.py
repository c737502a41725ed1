"""An older app's mutation is read as the newest would write it; a newer one is not lost."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.canonical import canonical
from sync.conversions import defaulted, dropped, in_turn, renamed, reworded, split
from sync.erasing import named_in, redacted_body
from sync.exchange import SchemaRange
from sync.groups import is_fact
from sync.mutation import SCHEMA, SCHEMA_FIRST, Malformed, Mutation
from sync.outcome import Code, Outcome
from sync.release import Why
from sync.versions import SCHEMAS, VERSIONS_BACK, Schemas
from sync.wire import decode_mutation, decode_request, encode_request, sealed
from sync.wire_mutation import mutation_object, reads, stored_mutation, written_mutation
from tests.sync import wire_values as values
from tests.sync.backend import DWELLING, HOUSEHOLD, START, Device, uid
from tests.sync.histories import busy_town

FAMILY, PERSON, VISIT = uid("family"), uid("person"), uid("visit")


def cut_address(text):
    """`12/no_visit`: a door and what the people there wish."""
    door, _, wish = text.partition("/")
    return {"door": door[:40] or None, "visit_preference": wish or None}


ONE_TO_TWO = in_turn(
    renamed("household", "telephone", "contact_phone"),
    split("household", "address", ("door", "visit_preference"), cut_address),
)
TWO_TO_THREE = in_turn(
    reworded("household", "status", {"gone": "moved_out"}),
    reworded("household", "languages", {"cantonese": "yue"}),
    dropped("household", "shoe_size"),
    defaulted("resident", "name", "-"),
    renamed("task", "outcome", "result"),
)
TODAY = Schemas(newest=3, steps={1: ONE_TO_TWO, 2: TWO_TO_THREE})
LATER = Schemas(
    newest=4, steps={1: ONE_TO_TWO, 2: TWO_TO_THREE, 3: dropped("household", "colour")}
)
NAMES = ("telephone", "address", "status", "shoe_size", "name", "contact_phone", "languages")


@st.composite
def written(draw):
    """A mutation of any version, that often speaks of what was changed."""
    mutation = draw(values.mutations())
    changed = replace(
        mutation,
        kind=draw(st.sampled_from(["household", "resident", "task", mutation.kind])),
        schema=draw(st.integers(1, 5)),
        base=draw(st.sampled_from([0, mutation.base])),
    )
    if changed.act is None:
        said = draw(st.dictionaries(st.sampled_from(NAMES), values.json_values, max_size=4))
        changed = replace(changed, set={**changed.set, **said})
    return sealed(changed)


def said(schema=1, *, kind="household", record=HOUSEHOLD, base=1, **members):
    """A mutation as a phone sends it."""
    clock = {"wall": "2026-11-23T08:00:00.000Z", "uptime_ms": 0, "boot": "b"}
    body = {"n": 1, "record": record, "kind": kind, "base": base, "clock": clock, **members}
    return body if schema is None else {**body, "schema": schema}


def read(schema=1, *, schemas=TODAY, **members):
    mutation = decode_mutation(said(schema, **members), schemas=schemas)
    assert isinstance(mutation, Mutation), mutation
    return mutation


# properties


@given(written(), st.sampled_from([TODAY, LATER, SCHEMAS]))
def test_what_is_read_is_of_the_newest_version_or_says_why_not(mutation, schemas):
    result = schemas.read(mutation)
    if mutation.schema > schemas.newest:
        assert result == replace(mutation, skew=Code.NEWER_SCHEMA)
    elif mutation.schema < schemas.least:
        assert result == replace(mutation, skew=Code.OLDER_SCHEMA)
    else:
        assert (result.schema, result.skew) == (schemas.newest, None)
        assert schemas.read(result) == result


@given(written(), st.sampled_from([TODAY, LATER]))
def test_reading_changes_what_is_said_and_nothing_else(mutation, schemas):
    result = schemas.read(mutation)
    same = {"set": {}, "add": {}, "remove": {}, "args": {}, "schema": 1, "skew": None}
    assert replace(result, **same) == replace(mutation, **same)
    assert result.body == mutation.body


@given(written())
def test_a_body_says_its_version_and_reads_back_the_same(mutation):
    again = decode_mutation(json.loads(mutation.body), schemas=TODAY)
    assert again == TODAY.read(mutation)
    assert stored_mutation(mutation.body, schemas=TODAY) == again
    assert stored_mutation(mutation.body, schemas=LATER) == LATER.recall(mutation)
    assert written_mutation(mutation.body) == mutation


@given(written(), st.integers(1, 2))
def test_two_versions_at_once_are_the_same_as_one_after_the_other(mutation, version):
    halfway = Schemas(newest=2, steps={1: ONE_TO_TWO})
    mutation = replace(mutation, schema=version)
    assert TODAY.read(halfway.read(mutation)) == TODAY.read(mutation)


@given(written())
def test_other_kinds_pass_through_a_step(mutation):
    other = replace(mutation, kind="grid", schema=1)
    assert TODAY.read(other) == replace(other, schema=3)


@given(written())
def test_every_version_redacts_a_body_to_the_same_bytes(mutation):
    once = redacted_body(mutation.body)
    assert redacted_body(once) == once
    assert json.loads(once).get("schema", SCHEMA_FIRST) == mutation.schema


# examples


def test_a_mutation_without_a_version_is_of_the_first():
    assert read(None, set={"telephone": "555-0101"}) == replace(
        read(1, set={"telephone": "555-0101"}),
        body=canonical(said(None, set={"telephone": "555-0101"})),
    )
    assert SCHEMA_FIRST == 1


def test_the_first_version_is_not_written_down_so_old_bytes_stay_what_they_were():
    clock = Device("d").clock(START)
    made = Mutation(n=1, record=HOUSEHOLD, kind="household", base=1, body=b"", clock=clock)
    assert "schema" not in mutation_object(replace(made, schema=1))
    assert mutation_object(replace(made, schema=2))["schema"] == 2


def test_a_renamed_field_a_split_one_and_a_changed_word():
    assert read(set={"telephone": "1", "address": "12/no_visit"}).set == {
        "contact_phone": "1",
        "door": "12",
        "visit_preference": "no_visit",
    }
    assert read(set={"address": None}).set == {
        "door": None,
        "visit_preference": None,
    }
    assert read(2, set={"status": "gone"}).set == {"status": "moved_out"}
    assert read(2, add={"languages": ["cantonese", "cmn"]}).add == {"languages": ("yue", "cmn")}
    assert read(2, remove={"languages": ["cantonese"]}).remove == {"languages": ("yue",)}


def test_a_word_of_an_old_version_is_not_converted_in_a_new_one():
    assert read(3, set={"status": "gone"}).set == {"status": "gone"}
    assert read(2, set={"telephone": "1"}).set == {"telephone": "1"}


def test_what_does_not_fit_is_left_to_be_judged():
    assert read(set={"address": 5}).set == {"address": 5}
    assert read(set={"telephone": "1", "contact_phone": "2"}).set == {
        "telephone": "1",
        "contact_phone": "2",
    }
    assert read(2, set={"status": 7}).set == {"status": 7}
    assert read(2, set={"status": "sold"}).set == {"status": "sold"}


def test_a_field_that_is_gone_is_not_stored_and_stays_in_the_body():
    mutation = read(2, set={"door": "1", "shoe_size": 44})
    assert mutation.set == {"door": "1"}
    assert json.loads(mutation.body)["set"]["shoe_size"] == 44


def test_a_new_required_field_is_filled_in_for_new_records_alone():
    new = {"kind": "resident", "record": PERSON, "base": 0}
    assert read(2, **new, set={"household": HOUSEHOLD}).set["name"] == "-"
    assert read(2, **new, set={"name": "A"}).set == {"name": "A"}
    assert read(2, kind="resident", set={"birth_year": 1990}).set == {"birth_year": 1990}
    assert read(3, **new, set={"household": HOUSEHOLD}).set == {"household": HOUSEHOLD}


def test_arguments_of_an_act_are_converted_too():
    claim = read(2, kind="task", act="finish", args={"outcome": "done"})
    assert claim.args == {"result": "done"}


def test_a_table_with_a_missing_step_is_no_table():
    with pytest.raises(ValueError, match="version 1"):
        Schemas(newest=4, steps={2: TWO_TO_THREE, 3: TWO_TO_THREE})


def test_the_table_of_today_reads_two_versions_back():
    assert (SCHEMAS.newest, SCHEMAS.least) == (SCHEMA, max(1, SCHEMA - VERSIONS_BACK))
    assert (TODAY.least, LATER.least, Schemas(newest=1).least) == (1, 2, 1)


def test_only_an_app_of_another_version_is_told_which_there_are():
    assert TODAY.told_to(3) is None
    assert TODAY.told_to(1) == TODAY.told_to(9) == SchemaRange(least=1, newest=3)


@pytest.mark.parametrize("schema", [0, -1, True, "1", 1.0, 2**53 + 1])
def test_a_version_that_is_none_is_malformed(schema):
    mutation = decode_mutation(said(schema))
    assert isinstance(mutation, Malformed)
    assert mutation.field == "schema"


def test_members_that_are_not_known_are_kept_only_of_a_newer_version():
    for schema in (None, 1, 3):
        old = decode_mutation(said(schema, mood="good"), schemas=TODAY)
        assert isinstance(old, Malformed)
        assert old.field == "mood"
    new = read(4, mood="good", set={"x": [1, {"y": 2}]})
    assert new.skew is Code.NEWER_SCHEMA
    assert json.loads(new.body)["mood"] == "good"
    assert new.body == canonical(said(4, mood="good", set={"x": [1, {"y": 2}]}))


def test_what_can_be_read_once_the_server_knows_the_version():
    known, unknown = said(4, set={"door": "1"}), said(4, mood="good")
    assert not reads(canonical(known), TODAY)
    assert reads(canonical(known), LATER)
    assert not reads(canonical(unknown), LATER)
    assert stored_mutation(canonical(unknown), schemas=LATER).skew is None


def test_a_request_is_read_with_the_table_too():
    request = json.loads(
        encode_request(
            replace(values_request(), mutations=(decode_mutation(said(1, set={"x": 1})),))
        )
    )
    request["mutations"][0]["set"] = {"telephone": "1"}
    (mutation,) = decode_request(request, schemas=TODAY).mutations
    assert isinstance(mutation, Mutation)
    assert mutation.set == {"contact_phone": "1"}


def values_request():
    value = {
        "protocol": 1,
        "app": {"version": "1", "schema": 1},
        "clock": said()["clock"],
        "last_n": 1,
    }
    return decode_request(value)


# through the whole core


def test_what_became_too_old_in_the_log_is_still_read_as_it_was():
    body = canonical(said(1, set={"telephone": "1"}))
    taken, later = stored_mutation(body, schemas=TODAY), stored_mutation(body, schemas=LATER)
    assert taken.set == later.set == {"contact_phone": "1"}
    assert later.skew is None
    assert LATER.read(written_mutation(body)).skew is Code.OLDER_SCHEMA


def test_a_person_releases_what_came_too_late_in_todays_fields():
    town, phone, office = busy_town(), Device("phone"), Device("office", console=True)
    old = read(1, schemas=LATER, set={"telephone": "555-0103"})
    town.push(phone, old)
    held = town.waiting[phone.id, 1]
    recalled = replace(held, mutation=stored_mutation(old.body, schemas=LATER))
    town.waiting[phone.id, 1] = recalled
    assert town.rule(office, phone, 1).outcome is Outcome.APPLIED
    assert town.state(HOUSEHOLD)["contact_phone"] == "555-0103"


def test_an_old_phone_and_a_new_one_merge_in_todays_fields():
    town, old, new = busy_town(), Device("old"), Device("new")
    first = read(1, set={"telephone": "555-0101", "address": "9"})
    assert town.push(old, first).answers[0].outcome is Outcome.APPLIED
    second = read(3, set={"contact_phone": "555-0102"})
    answer = town.push(new, second).answers[0]
    assert (answer.outcome, answer.field) == (Outcome.CONFLICT, "contact_phone")
    assert town.state(HOUSEHOLD)["door"] == "9"
    assert town.push(old, first).answers[0].replayed


def test_the_hash_is_of_what_the_phone_sent():
    town, old = busy_town(), Device("old")
    mutation = read(1, set={"telephone": "1"})
    town.push(old, mutation)
    modern = replace(
        decode_mutation(said(3, set={"contact_phone": "1"}), schemas=TODAY), n=mutation.n
    )
    assert town.push(old, modern).answers[0].code is Code.REUSED_N


@pytest.mark.parametrize(
    ("schemas", "schema", "code"),
    [(LATER, 1, Code.OLDER_SCHEMA), (TODAY, 4, Code.NEWER_SCHEMA)],
)
def test_what_cannot_be_read_waits_and_the_queue_goes_on(schemas, schema, code):
    town, phone = busy_town(), Device("phone")
    odd = read(schema, schemas=schemas, set={"door": "1"})
    fine = replace(read(schemas.newest, schemas=schemas, set={"door": "2"}), n=2)
    answers = town.push(phone, odd, fine).answers
    assert [(each.outcome, each.code) for each in answers] == [
        (Outcome.HELD, code),
        (Outcome.APPLIED, None),
    ]
    assert (answers[0].field, answers[0].rev, answers[0].body) == ("schema", 0, odd.body)
    assert town.state(HOUSEHOLD)["door"] == "2"


def test_a_group_waits_with_its_member_and_its_facts_stand():
    town, phone = busy_town(), Device("phone")
    family = {"kind": "household", "record": FAMILY, "base": 0, "group": "form"}
    odd = read(4, **family, set={"dwelling": DWELLING})
    visit = read(
        3, kind="visit", record=VISIT, base=0, group="form", set={"household": HOUSEHOLD}
    )
    edit = read(3, group="form", set={"door": "1"})
    visit = replace(visit, n=2, set={**visit.set, "outcome": "done"})
    assert is_fact(visit)
    answers = town.push(phone, odd, visit, replace(edit, n=3)).answers
    assert [each.code for each in answers] == [Code.NEWER_SCHEMA, None, Code.GROUP_FAILED]
    assert answers[1].outcome is Outcome.APPLIED


def test_a_fact_of_a_newer_version_is_counted_when_it_can_be_read():
    town, phone, office = busy_town(), Device("phone"), Device("office", console=True)
    visit = {"kind": "visit", "record": VISIT, "base": 0}
    members = {"household": HOUSEHOLD, "outcome": "done"}
    town.push(phone, read(4, **visit, set=members))
    assert town.record(VISIT) is None
    answer = town.rule(office, phone, 1, why=Why.READABLE)
    assert answer.outcome is Outcome.APPLIED
    assert town.state(VISIT)["visitor"] == phone.account


def test_of_people_in_words_nobody_knows_everything_is_taken_to_speak():
    body = canonical(said(9, set={"about": PERSON}, twin=VISIT))
    assert {PERSON, VISIT, HOUSEHOLD} <= named_in(body)
    assert json.loads(redacted_body(body)).keys() <= said(9).keys()


def test_of_people_in_known_words_the_links_are_taken():
    assert named_in(canonical(said(1, set={"door": PERSON}))) == {HOUSEHOLD}
