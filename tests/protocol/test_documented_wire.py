"""The documented models and the code that reads the wire accept the same requests."""

import copy
import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from server.replication.schemas import (
    AppIn,
    BucketIn,
    BucketOut,
    ClockIn,
    GoneOut,
    ItemOut,
    LimitsOut,
    MutationIn,
    OfferOut,
    OutcomeOut,
    PositionIn,
    SchemaOut,
    ScopeOut,
    SyncIn,
    SyncOut,
)
from sync.errors import ProtocolError
from sync.exchange import Gone as WireGone
from sync.exchange import Offer, RawPage, SchemaRange, SyncReply, WireOutcome
from sync.mutation import Malformed
from sync.outcome import Outcome
from sync.wire import assemble_reply, decode_request, reply_head
from tests.server.phones import RawPhone
from tests.world import World, centre_e7

CLOCK = {"wall": "2026-11-23T08:00:00.000+08:00", "uptime_ms": 5012345, "boot": "6f0c"}
RECORD = "01930000-0000-7000-8000-000000000001"
PLACE = {
    "lon_e7": 1_215_005_000,
    "lat_e7": 250_305_000,
    "datum": "gcj02",
    "accuracy_cm": 500,
    "fixed_at": "2026-11-23T08:00:00Z",
}
EDIT: dict[str, Any] = {
    "n": 41,
    "record": RECORD,
    "kind": "household",
    "base": 7,
    "clock": CLOCK,
    "set": {"contact_phone": "555-0138"},
    "add": {"languages": ["yue"]},
    "remove": {"languages": ["en"]},
    "position": PLACE,
    "actor": RECORD,
    "group": "g",
    "why": "They rang.",
    "schema": 1,
}
ACT: dict[str, Any] = {
    "n": 42,
    "record": RECORD,
    "kind": "task",
    "base": 3,
    "clock": CLOCK,
    "act": "finish",
    "args": {"result": "pipe replaced"},
}
FULL: dict[str, Any] = {
    "protocol": 1,
    "app": {"version": "1.4.0", "schema": 3},
    "lease": "mJ0p",
    "clock": CLOCK,
    "last_n": 42,
    "mutations": [EDIT, ACT],
    "buckets": [{"id": "config", "epoch": 1, "seq": 817, "digest": "9f2c6b0d8e114a57"}],
    "max_bytes": 65536,
    "takes": ["snapshot"],
}
PLACES: tuple[tuple[str | int, ...], ...] = (
    (),
    ("app",),
    ("clock",),
    ("mutations", 0),
    ("mutations", 0, "clock"),
    ("mutations", 0, "position"),
    ("mutations", 1),
    ("buckets", 0),
)
MODELS: dict[tuple[str | int, ...], type[BaseModel]] = {
    (): SyncIn,
    ("app",): AppIn,
    ("clock",): ClockIn,
    ("mutations", 0): MutationIn,
    ("mutations", 0, "position"): PositionIn,
    ("buckets", 0): BucketIn,
}
VALUES: tuple[Any, ...] = (
    None, 0, 1, -1, 2**53, 1.0, 1.5, True, "", "1", "x" * 41, "x" * 201, [], {}, [1], {"a": 1},
    {"a": ["b"]}, "2026-11-23T08:00:00Z", "wgs84", RECORD, "0" * 16, 1_800_000_001, 100_000_001,
)  # fmt: skip


def accepted(value: Any) -> bool:
    """Whether the wire takes a request with every mutation in it."""
    try:
        request = decode_request(value)
    except ProtocolError:
        return False
    return not any(isinstance(each, Malformed) for each in request.mutations)


def documented(value: Any) -> bool:
    """Whether a request is one according to the published contract."""
    try:
        SyncIn.model_validate(value, strict=True)
    except ValidationError:
        return False
    return True


def inside(value: Any, place: tuple[str | int, ...]) -> Any:
    """The object at a place of a request."""
    for step in place:
        value = value[step]
    return value


@pytest.mark.parametrize("place", MODELS)
def test_the_same_members_are_documented_and_read(place: tuple[str | int, ...]) -> None:
    names = {each.alias or name for name, each in MODELS[place].model_fields.items()}
    found = set(inside(FULL, place))
    if place == ("mutations", 0):
        found |= set(ACT)
    assert names == found
    assert accepted(FULL)
    assert documented(FULL)
    for name in names:
        renamed = copy.deepcopy(FULL)
        inside(renamed, place).setdefault(name + "_", 1)
        assert not accepted(renamed)
        assert not documented(renamed)


@pytest.mark.parametrize("place", PLACES)
def test_a_member_is_required_in_the_documents_where_it_is_on_the_wire(
    place: tuple[str | int, ...],
) -> None:
    for name in inside(FULL, place):
        for value in ("absent", None):
            changed = copy.deepcopy(FULL)
            if value is None:
                inside(changed, place)[name] = None
            else:
                del inside(changed, place)[name]
            if name in {"act", "set"} and place == ("mutations", 1):
                continue  # args without an act: a rule between members
            assert accepted(changed) == documented(changed), (place, name, value)


@given(place=st.sampled_from(PLACES), value=st.sampled_from(VALUES), data=st.data())
def test_what_the_wire_takes_is_documented(
    place: tuple[str | int, ...], value: Any, data: st.DataObject
) -> None:
    changed = copy.deepcopy(FULL)
    there = inside(changed, place)
    name = data.draw(st.sampled_from(sorted(there)))
    there[name] = value
    if accepted(changed):
        assert documented(changed), (place, name)


def test_every_member_of_a_reply_is_documented() -> None:
    outcome = WireOutcome(
        n=1,
        outcome=Outcome.MERGED,
        record=RECORD,
        rev=2,
        code="c",
        detail="d",
        replayed=True,
        became="merged",
    )
    page = RawPage(
        id="config",
        epoch=1,
        from_seq=0,
        seq=1,
        digest="0" * 16,
        count=1,
        items=[b'{"hash":"h","kind":"note","record":"r","rev":1,"state":{}}'],
        gone=[WireGone(record=RECORD, why="moved", to="config", merged_into=RECORD)],
        snapshot=Offer(epoch=1, seq=1),
    )
    head = reply_head(
        SyncReply(
            server_time_ms=0,
            incarnation="i",
            lease="l",
            settled_through=1,
            outcomes=(outcome,),
            purge_after_s=60,
            schema=SchemaRange(least=1, newest=2),
        )
    )
    reply = json.loads(assemble_reply(head, [page]))
    (bucket,) = reply["buckets"]
    for model, members in (
        (SyncOut, reply),
        (OutcomeOut, reply["outcomes"][0]),
        (ScopeOut, reply["scope"]),
        (BucketOut, bucket),
        (ItemOut, bucket["put"][0]),
        (GoneOut, bucket["gone"][0]),
        (OfferOut, bucket["snapshot"]),
        (LimitsOut, reply["limits"]),
        (SchemaOut, reply["schema"]),
    ):
        assert {each.alias or name for name, each in model.model_fields.items()} == set(members)
    SyncOut.model_validate(reply)


@pytest.mark.anyio
@pytest.mark.db
async def test_a_real_reply_is_as_documented(client: httpx.AsyncClient, world: World) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    wrong = phone.change(RECORD, "unicorn", 0)
    reply = await phone.sync([phone.report(*centre_e7(0)), wrong])
    SyncOut.model_validate(reply)
