from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sync.cells import Cells, overlay
from sync.codec import DEVICES_MAX, decode_place, decode_record, encode_place, encode_record
from sync.known import Located
from sync.mutation import Quality
from sync.record import Cell, Credit, Head, Past, Record, Status
from sync.state import live_value, open_conflicts, state_of

COUNTS = st.integers(0, 2**53)
NAMES = st.text(max_size=8)
VALUES = st.none() | st.booleans() | COUNTS | st.text(max_size=12)
HEADS = st.builds(
    Head, value=VALUES, rev=COUNTS, device=NAMES, n=COUNTS, at_ms=COUNTS, console=st.booleans()
)
MANY = st.lists(HEADS, max_size=3).map(tuple)
CELLS = st.builds(
    Cell,
    heads=MANY,
    kept=MANY,
    aside=MANY,
    past=st.lists(st.builds(Past, until_rev=COUNTS, head=HEADS), max_size=3).map(tuple),
) | HEADS.map(lambda head: Cell(heads=(head,)))
CREDITS = st.builds(
    Credit, at_ms=COUNTS, by=NAMES, device=NAMES, n=COUNTS, quality=st.sampled_from(Quality)
)
STATUSES = st.builds(
    Status,
    epoch=COUNTS,
    state=NAMES,
    since_rev=COUNTS,
    at_ms=COUNTS,
    by=NAMES,
    device=NAMES,
    n=COUNTS,
    quality=st.sampled_from(Quality),
    reached=st.dictionaries(NAMES, CREDITS, max_size=3),
)
RECORDS = st.builds(
    Record,
    id=NAMES,
    kind=NAMES,
    bucket=NAMES,
    rev=COUNTS,
    fields=st.dictionaries(NAMES, CELLS, max_size=4),
    sets=st.dictionaries(
        NAMES, st.dictionaries(NAMES, CELLS, min_size=1, max_size=3), max_size=2
    ),
    status=st.none() | STATUSES,
    run_device=st.just(""),
    run_from=st.just(0),
)


@given(RECORDS, st.tuples(NAMES, COUNTS))
def test_a_record_comes_back_from_its_text_as_it_was(record, run):
    device, since = run
    record = Record(
        id=record.id,
        kind=record.kind,
        bucket=record.bucket,
        rev=record.rev,
        fields=record.fields,
        sets=record.sets,
        status=record.status,
        run_device=device,
        run_from=since if device else 0,
    )
    text = encode_record(record)
    assert decode_record(record.id, record.kind, record.bucket, record.rev, text) == record


def test_fields_that_no_longer_exist_are_kept_and_not_shown():
    head = Head(value="x", rev=1, device="d", n=1, at_ms=1)
    other = Head(value="y", rev=1, device="e", n=1, at_ms=2)
    record = Record(
        id="r",
        kind="household",
        bucket="grid:g",
        rev=1,
        fields={"gone": Cell(heads=(head, other)), "door": Cell(heads=(head,))},
    )
    assert state_of(record) == {"door": "x"}
    assert open_conflicts(record) == ()


def read_again(record):
    text = encode_record(record)
    return decode_record(record.id, record.kind, record.bucket, record.rev, text)


@given(RECORDS, st.dictionaries(NAMES, CELLS, max_size=2))
def test_a_stored_record_with_changed_cells_is_written_like_one_read_whole(record, changed):
    stored = read_again(record)
    assert isinstance(stored.fields, Cells)
    fields = overlay(stored.fields, changed)
    assert len(fields) == len(record.fields.keys() | changed.keys())
    assert dict(fields) == {**record.fields, **changed}
    again = read_again(replace(stored, fields=fields))
    assert again == replace(record, fields={**record.fields, **changed})


NUMBERED = st.builds(
    Head,
    value=st.none() | st.integers(0, 3),
    rev=COUNTS,
    device=NAMES,
    n=COUNTS,
    at_ms=st.integers(0, 3),
    console=st.booleans(),
)
SHOWN = st.builds(
    Cell,
    heads=st.lists(NUMBERED, min_size=1, max_size=3).map(tuple),
    kept=st.lists(NUMBERED, max_size=2).map(tuple),
    past=st.just(()),
    aside=st.just(()),
) | NUMBERED.map(lambda head: Cell(heads=(head,)))
FIELDS = ("door", "grid", "status", "last_verified_ms", "archived", "not of this kind")
HOUSEHOLD_FIELDS = st.dictionaries(st.sampled_from(FIELDS), SHOWN)


@given(HOUSEHOLD_FIELDS, HOUSEHOLD_FIELDS)
def test_what_is_shown_of_cells_as_they_were_written_is_what_is_shown_of_cells_read(
    fields, changed
):
    record = Record(id="r", kind="household", bucket="b", rev=1, fields=fields)
    stored = read_again(record)
    stored = replace(stored, fields=overlay(stored.fields, changed))
    whole = replace(record, fields={**fields, **changed})
    assert state_of(stored) == state_of(whole)
    assert open_conflicts(stored) == open_conflicts(whole)
    for name in FIELDS[:-1]:
        assert live_value(stored, name) == live_value(whole, name)
        assert live_value(stored, name) == live_value(
            replace(stored, fields=whole.fields), name
        )


@given(
    st.builds(
        Located,
        grid=st.none() | NAMES,
        lon_e7=st.integers(),
        lat_e7=st.integers(),
        certain=st.booleans(),
    )
)
def test_a_place_comes_back_from_its_text_as_it_was(located):
    assert decode_place(encode_place(located)) == located


def test_devices_that_are_no_longer_needed_are_forgotten_in_time():
    fields = {}
    for number in range(DEVICES_MAX + 1):
        head = Head(value=number, rev=1, device=f"device {number}", n=1, at_ms=1)
        fields[f"field {number}"] = Cell(heads=(head,))
    record = Record(id="r", kind="k", bucket="b", rev=1, fields=fields)
    stored = read_again(record)
    last = Head(value="x", rev=2, device="last", n=1, at_ms=2)
    only = {name: Cell(heads=(last,)) for name in fields}
    rewritten = read_again(replace(stored, fields=overlay(stored.fields, only)))
    assert rewritten.fields == only
    assert rewritten.fields.devices == ["last"]
