import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.canonical import canonical, feed_item, record_body, record_hash
from sync.errors import ProtocolError, UnsupportedProtocol
from sync.exchange import BUCKETS_MAX, MUTATIONS_MAX, RawPage, SyncReply
from sync.mutation import Malformed, Mutation
from sync.outcome import Code
from sync.wire import (
    MUTATION_BYTES_MAX,
    assemble_reply,
    decode_mutation,
    decode_reply,
    decode_request,
    encode_mutation,
    encode_reply,
    encode_request,
    reply_head,
)
from tests.sync import wire_values as values

ID = "0193a1b2-0000-7000-8000-000000000001"
CLOCK = {"wall": "2026-11-23T08:00:00.000+08:00", "uptime_ms": 5, "boot": "b1"}
EDIT = {"n": 1, "record": ID, "kind": "household", "base": 7, "clock": CLOCK}
REQUEST = {
    "protocol": 1,
    "app": {"version": "1.4.0", "schema": 3},
    "clock": CLOCK,
    "last_n": 42,
    "mutations": [],
    "buckets": [],
}


@given(values.requests)
def test_a_request_reads_back_as_it_was_written(request):
    assert decode_request(json.loads(encode_request(request))) == request


@given(values.replies)
def test_a_reply_reads_back_as_it_was_written(reply):
    assert decode_reply(json.loads(encode_reply(reply))) == reply


@given(values.mutations())
def test_a_mutation_reads_back_as_it_was_written(mutation):
    assert decode_mutation(json.loads(encode_mutation(mutation))) == mutation


@given(st.dictionaries(values.texts, values.json_values, max_size=5), st.integers(1, 2**53))
def test_whatever_has_a_usable_n_is_kept_byte_for_byte(members, n):
    read = decode_mutation({**members, "n": n})
    assert read.n == n
    assert read.body == canonical({**members, "n": n})
    assert decode_mutation(json.loads(read.body)) == read


@given(values.json_values)
def test_any_json_value_is_a_request_or_a_protocol_error(value):
    with pytest.raises(ProtocolError):
        decode_request(value)


@given(values.requests, st.data())
def test_no_damaged_request_fails_in_any_other_way(request, data):
    value = json.loads(encode_request(request))
    name = data.draw(st.sampled_from(sorted(value)))
    value[name] = data.draw(values.json_values)
    with suppress(ProtocolError):
        decode_request(value)


def test_order_and_spacing_of_members_do_not_change_a_body():
    turned = dict(reversed(EDIT.items()))
    assert decode_mutation(turned) == decode_mutation(EDIT)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"base": -1}, "base"),
        ({"base": True}, "base"),
        ({"base": 1.0}, "base"),
        ({"record": "0193A1B2-0000-7000-8000-000000000001"}, "record"),
        ({"kind": "House Hold"}, "kind"),
        ({"clock": {**CLOCK, "wall": "2026-11-23T08:00:00"}}, "clock/wall"),
        ({"clock": {**CLOCK, "wall": "2026-02-30T08:00:00Z"}}, "clock/wall"),
        ({"clock": {**CLOCK, "zone": "x"}}, "clock/zone"),
        ({"clock": None}, "clock"),
        ({"set": []}, "set"),
        ({"set": {"area": 0.5}}, "set"),
        ({"set": {"area": 2**53 + 1}}, "set"),
        ({"set": {f"f{n}": 1 for n in range(101)}}, "set"),
        ({"set": {"text": "x" * MUTATION_BYTES_MAX}}, None),
        ({"set": {"text": "\ud800"}}, None),
        ({"add": {"languages": "yue"}}, "add"),
        ({"add": {"languages": [1]}}, "add"),
        ({"remove": {"languages": ["a"] * 101}}, "remove"),
        ({"act": "finish", "set": {"text": "a"}}, "act"),
        ({"act": "Finish!"}, "act"),
        ({"args": {"result": "a"}}, "args"),
        ({"actor": "somebody"}, "actor"),
        ({"group": ""}, "group"),
        ({"position": {"lon_e7": 0}}, "position/datum"),
        (
            {"position": {"lon_e7": 0, "lat_e7": 0, "datum": "nad27", "accuracy_cm": 1}},
            "position/datum",
        ),
        (
            {"position": {"lon_e7": 0, "lat_e7": 910_000_000, "datum": "bd09"}},
            "position/lat_e7",
        ),
        ({"surprise": 1}, "surprise"),
        ({"张三": 1}, None),
    ],
)
def test_a_mutation_that_cannot_be_read_keeps_its_place_and_names_the_member(change, field):
    read = decode_mutation({**EDIT, **change}, "/mutations/0")
    assert isinstance(read, Malformed)
    assert (read.n, read.field, read.code) == (1, field, Code.MALFORMED)
    assert read.body


def test_what_can_be_read_of_a_malformed_mutation_is_kept():
    read = decode_mutation({**EDIT, "base": None})
    assert isinstance(read, Malformed)
    assert (read.record, read.kind) == (ID, "household")
    blank = decode_mutation({"n": 3, "record": 5, "kind": 6})
    assert isinstance(blank, Malformed)
    assert (blank.record, blank.kind) == (None, None)


def test_nesting_is_limited():
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    read = decode_mutation({**EDIT, "set": {"field": deep}})
    assert isinstance(read, Malformed)
    assert read.field == "set"


@pytest.mark.parametrize("n", [None, 0, -1, 1.0, "1", True, 2**53 + 1])
def test_a_mutation_without_a_usable_n_fails_the_request(n):
    with pytest.raises(ProtocolError) as caught:
        decode_request({**REQUEST, "mutations": [EDIT, {**EDIT, "n": n}]})
    assert caught.value.pointer == "/mutations/1/n"


def test_a_mutation_that_is_no_object_fails_the_request():
    with pytest.raises(ProtocolError) as caught:
        decode_request({**REQUEST, "mutations": ["x"]})
    assert caught.value.pointer == "/mutations/0"


def test_another_protocol_is_named_before_anything_else_is_read():
    with pytest.raises(UnsupportedProtocol) as caught:
        decode_request({"protocol": 2, "whatever": 1})
    assert caught.value.pointer == "/protocol"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"protocol": "1"}, "/protocol"),
        ({"app": {"version": "1"}}, "/app/schema"),
        ({"app": {"version": "", "schema": 1}}, "/app/version"),
        ({"app": {"version": "1", "schema": 1, "os": "x"}}, "/app/os"),
        ({"clock": {**CLOCK, "uptime_ms": "5"}}, "/clock/uptime_ms"),
        ({"clock": {**CLOCK, "wall": 5}}, "/clock/wall"),
        ({"last_n": None}, "/last_n"),
        ({"lease": "x" * 201}, "/lease"),
        ({"lease": 7}, "/lease"),
        ({"max_bytes": 0}, "/max_bytes"),
        ({"mutations": {}}, "/mutations"),
        ({"mutations": [EDIT] * (MUTATIONS_MAX + 1)}, "/mutations"),
        ({"buckets": [{}] * (BUCKETS_MAX + 1)}, "/buckets"),
        ({"buckets": [{"id": "config"}]}, "/buckets/0/epoch"),
        (
            {"buckets": [{"id": "config", "epoch": 0, "seq": 0, "digest": "0" * 16}] * 2},
            "/buckets",
        ),
        (
            {"buckets": [{"id": "config", "epoch": 0, "seq": 0, "digest": "F" * 16}]},
            "/buckets/0/digest",
        ),
        ({"extra": 1}, "/extra"),
        ({"Ünknown": 1}, ""),
    ],
)
def test_a_fault_of_the_envelope_is_named_with_its_pointer(change, pointer):
    with pytest.raises(ProtocolError) as caught:
        decode_request({**REQUEST, **change})
    assert caught.value.pointer == pointer


def test_an_error_never_repeats_a_value():
    with pytest.raises(ProtocolError) as caught:
        decode_request({**REQUEST, "lease": 1, "last_n": "13800138000"})
    assert "138" not in str(caught.value)


def test_the_smallest_request_is_read():
    read = decode_request(
        {name: REQUEST[name] for name in ("protocol", "app", "clock", "last_n")}
    )
    assert (read.mutations, read.buckets, read.lease, read.max_bytes) == ((), (), None, None)


def test_an_edit_is_read_member_by_member():
    read = decode_mutation(
        {**EDIT, "set": {"door": None}, "add": {"languages": ["yue"]}, "remove": {}}
    )
    assert isinstance(read, Mutation)
    assert read.clock is not None
    assert read.clock.wall_ms == 1_795_392_000_000
    assert read.set == {"door": None}
    assert read.add == {"languages": ("yue",)}


def test_a_reply_may_hold_members_this_version_does_not_know():
    value = json.loads(encode_reply(_empty_reply()))
    value["later"] = {"x": 1}
    assert decode_reply(value) == _empty_reply()


def test_a_reply_needs_what_the_phone_relies_on():
    value = json.loads(encode_reply(_empty_reply()))
    value["outcomes"] = [{"n": 1, "outcome": "celebrated"}]
    with pytest.raises(ProtocolError) as caught:
        decode_reply(value)
    assert caught.value.pointer == "/outcomes/0/outcome"
    value["outcomes"] = [{"n": 1, "outcome": "held", "replayed": 1}]
    with pytest.raises(ProtocolError) as caught:
        decode_reply(value)
    assert caught.value.pointer == "/outcomes/0/replayed"
    value["outcomes"], value["scope"] = [], {"enter": [7]}
    with pytest.raises(ProtocolError) as caught:
        decode_reply(value)
    assert caught.value.pointer == "/scope/enter/0"


def test_stored_bytes_go_into_a_page_unchanged():
    body = record_body(ID, "note", 3, {"text": "水管 burst"})
    raw = feed_item(body, record_hash(body))
    page = RawPage(
        id="config", epoch=1, from_seq=0, seq=9, digest="0" * 16, count=1, items=[raw, raw]
    )
    written = assemble_reply(reply_head(_empty_reply()), [page, page])
    assert written.count(raw) == 4
    read = decode_reply(json.loads(written))
    assert read.buckets[1].put[1].state == {"text": "水管 burst"}


def _empty_reply() -> SyncReply:
    return SyncReply(server_time_ms=0, incarnation="i", lease="l", settled_through=0)
