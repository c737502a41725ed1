"""Comparing a bucket in parts, and reading a snapshot: both ends agree, damage is noticed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.canonical import EMPTY_DIGEST, digest_of, record_body, record_hash
from sync.errors import ProtocolError
from sync.exchange import BucketPage
from sync.manifest import (
    PARTS,
    difference,
    differing_parts,
    part_digests,
    part_of,
    read_manifest,
    read_parts,
    read_records,
)
from sync.snapshot import assemble_snapshot, read_snapshot
from tests.sync.wire_values import ids, names

buckets = st.dictionaries(ids, st.integers(1, 3), max_size=12).map(
    lambda revs: {
        record: record_hash(f"{record}{rev}".encode()) for record, rev in revs.items()
    }
)
bodies = st.dictionaries(ids, st.dictionaries(names, st.text(max_size=5)), max_size=5).map(
    lambda states: [record_body(each, "note", 1, state) for each, state in states.items()]
)
RECORD = "01930000-0000-7000-8000-0000000000ff"
PAGE = {"epoch": 1, "seq": 7, "digest": EMPTY_DIGEST, "count": 0}


def page_of(held: list[bytes], bucket: str = "grid:a") -> BucketPage:
    digest = digest_of(record_hash(each) for each in held)
    return BucketPage(
        id=bucket, epoch=2, from_seq=0, seq=9, digest=digest, count=len(held), reset=True
    )


@given(buckets, buckets)
def test_comparing_the_parts_that_differ_finds_all_that_differs(held, listed):
    parts = differing_parts(part_digests(held.items()), part_digests(listed.items()))
    found = difference(
        {record: each for record, each in held.items() if part_of(record) in parts},
        {record: each for record, each in listed.items() if part_of(record) in parts},
    )
    repaired = {record: each for record, each in held.items() if record not in found.drop}
    repaired |= {record: listed[record] for record in found.fetch}
    assert repaired == listed
    assert not set(found.drop) & set(found.fetch)


@given(buckets)
def test_the_digests_of_the_parts_give_that_of_the_bucket(held):
    parts = part_digests(held.items())
    assert len(parts) == PARTS
    assert digest_of(parts) == digest_of(held.values())
    assert differing_parts(parts, parts) == ()


def test_a_part_is_named_by_the_last_two_digits():
    parts = part_digests([(RECORD, "12" * 16)])
    assert parts[255] == "12" * 8
    assert set(parts[:255]) == {EMPTY_DIGEST}
    assert differing_parts(parts, part_digests([])) == ("ff",)
    with pytest.raises(ValueError, match="invalid literal"):
        part_digests([("ghost", "12" * 16)])


def test_what_the_server_lists_is_read_strictly():
    state = read_parts({**PAGE, "parts": [EMPTY_DIGEST] * PARTS, "id": "grid:a", "new": 1})
    assert (state.epoch, state.seq, state.count) == (1, 7, 0)
    assert read_manifest({"records": [[RECORD, "12" * 16]]}) == {RECORD: "12" * 16}
    item = {"record": RECORD, "kind": "note", "rev": 1, "hash": "12" * 16, "state": {}}
    assert [each.record for each in read_records({"records": [item]})] == [RECORD]


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (read_parts, {**PAGE, "parts": [EMPTY_DIGEST]}),
        (read_parts, []),
        (read_manifest, {"records": ["text"]}),
        (read_manifest, {"records": [["no id", "12" * 16]]}),
        (read_manifest, {"records": [[RECORD]]}),
        (read_records, {"records": [{}]}),
        (lambda value: read_snapshot(value, "grid:a"), {"id": "grid:a"}),
    ],
)
def test_another_form_is_refused(read, value):
    with pytest.raises(ProtocolError):
        read(value)


@given(bodies)
def test_a_snapshot_reads_back_as_the_bucket_it_was_made_of(held):
    page = page_of(held)
    read = read_snapshot(json.loads(assemble_snapshot(page, held)), "grid:a")
    assert read.page == page
    assert [each.body for each in read.effect.put] == held
    assert read.effect.restart
    assert read.effect.finish


def test_a_snapshot_of_another_bucket_or_with_a_changed_body_is_refused():
    held = [record_body(RECORD, "note", 1, {"text": "a"})]
    other = json.loads(assemble_snapshot(page_of(held, "grid:b"), held))
    with pytest.raises(ProtocolError, match="/id"):
        read_snapshot(other, "grid:a")
    changed = json.loads(assemble_snapshot(page_of(held), held))
    changed["records"][0]["state"]["text"] = "b"
    with pytest.raises(ProtocolError, match="/digest"):
        read_snapshot(changed, "grid:a")
    changed["records"][0]["state"]["text"] = "\ud800"
    with pytest.raises(ProtocolError, match="/records/0/state"):
        read_snapshot(changed, "grid:a")
