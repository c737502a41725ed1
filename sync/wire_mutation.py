"""One mutation on the wire: how it is written, read, and kept when it cannot be read.

The canonical JSON of the object as received is the mutation's body. It is stored for ever, its
hash detects a reused `n`, and it is what a phone sends again, byte for byte.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sync.canonical import canonical
from sync.errors import ProtocolError
from sync.fields import INT_LIMIT, is_id
from sync.kinds import LAT_E7, LON_E7, SET_ELEMENTS_MAX
from sync.members import DEPTH_MAX, Members, number_fault
from sync.mutation import SCHEMA_FIRST, ClockReading, Datum, Malformed, Mutation, Position
from sync.rfc3339 import format_wall
from sync.versions import SCHEMAS, Schemas

MUTATION_BYTES_MAX = 65_536
GROUP_CHARS_MAX = 64
WHY_CHARS_MAX = 2_000
FIELDS_MAX = 100
ACCURACY_MAX_CM = 100_000_000
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_ID_REASON = "must be a UUID in lower case"
_NAME_REASON = "must be a lower-case name"
_NAMES = frozenset(
    (
        "n",
        "record",
        "kind",
        "base",
        "clock",
        "set",
        "add",
        "remove",
        "act",
        "args",
        "position",
        "actor",
        "group",
        "why",
        "schema",
    )
)
_CLOCK_NAMES = frozenset(("wall", "uptime_ms", "boot"))


def clock_object(clock: ClockReading) -> dict[str, Any]:
    """Return a clock reading as the wire writes it."""
    return {
        "wall": format_wall(clock.wall_ms),
        "uptime_ms": clock.uptime_ms,
        "boot": clock.boot,
    }


def read_clock(members: Members) -> ClockReading:
    """Return the clock reading in `members`.

    A clock that went astray is no reason to refuse work, so any number and any id will do.
    """
    members.only(_CLOCK_NAMES)
    return ClockReading(
        wall_ms=members.wall_ms("wall"),
        uptime_ms=members.integer("uptime_ms", low=-INT_LIMIT),
        boot=members.text("boot", max_chars=64, min_chars=0),
    )


def position_object(position: Position) -> dict[str, Any]:
    """Return a position as the wire writes it."""
    written: dict[str, Any] = {
        "lon_e7": position.lon_e7,
        "lat_e7": position.lat_e7,
        "datum": str(position.datum),
        "accuracy_cm": position.accuracy_cm,
    }
    if position.fixed_at_ms is not None:
        written["fixed_at"] = format_wall(position.fixed_at_ms)
    return written


def read_position(members: Members) -> Position:
    """Return the position in `members`; it stays in the datum it is labelled with."""
    members.only({"lon_e7", "lat_e7", "datum", "accuracy_cm", "fixed_at"})
    datum = members.text("datum", max_chars=20)
    if datum not in {str(each) for each in Datum}:
        raise ProtocolError(members.at("datum"), f"must be one of {', '.join(Datum)}")
    return Position(
        lon_e7=members.integer("lon_e7", low=LON_E7.low, high=LON_E7.high),
        lat_e7=members.integer("lat_e7", low=LAT_E7.low, high=LAT_E7.high),
        datum=Datum(datum),
        accuracy_cm=members.integer("accuracy_cm", high=ACCURACY_MAX_CM),
        fixed_at_ms=members.wall_ms("fixed_at") if members.has("fixed_at") else None,
    )


def mutation_object(mutation: Mutation) -> dict[str, Any]:
    """Return the JSON object of a mutation, from its members alone; `body` is not looked at.

    Empty members are left out, so the smallest form is written.
    """
    written: dict[str, Any] = {
        "n": mutation.n,
        "record": mutation.record,
        "kind": mutation.kind,
        "base": mutation.base,
    }
    if mutation.clock is not None:
        written["clock"] = clock_object(mutation.clock)
    if mutation.position is not None:
        written["position"] = position_object(mutation.position)
    written |= {
        "set": dict(mutation.set),
        "add": {name: list(values) for name, values in mutation.add.items()},
        "remove": {name: list(values) for name, values in mutation.remove.items()},
        "act": mutation.act,
        "args": dict(mutation.args),
        "actor": mutation.actor,
        "group": mutation.group,
        "why": mutation.why,
        "schema": None if mutation.schema == SCHEMA_FIRST else mutation.schema,
    }
    return {name: value for name, value in written.items() if value not in (None, {})}


def sealed(mutation: Mutation) -> Mutation:
    """Return `mutation` with `body` made from its other members."""
    return replace(mutation, body=canonical(mutation_object(mutation)))


def encode_mutation(mutation: Mutation | Malformed) -> bytes:
    """Return the bytes to send: always the body, so sending again sends the same bytes."""
    return mutation.body


def decode_mutation(
    value: Any, pointer: str = "", *, schemas: Schemas = SCHEMAS
) -> Mutation | Malformed:
    """Return the mutation in a parsed JSON value, or what can be kept of it.

    One of an older version of the record schema is read as the newest would have written it;
    `body` is what was received all the same.

    Raises:
        ProtocolError: if there is no usable `n`, so it has no place in the device's sequence.
    """
    members = Members(value, pointer)
    n = members.integer("n", low=1)
    try:
        return schemas.read(_read(members, n, _body(value, pointer), newest=schemas.newest))
    except ProtocolError as error:
        record, kind, group = (value.get(name) for name in ("record", "kind", "group"))
        return Malformed(
            n=n,
            body=_kept(value),
            record=record if is_id(record) else None,
            kind=kind if isinstance(kind, str) and _NAME.fullmatch(kind) else None,
            field=error.pointer.removeprefix(pointer).lstrip("/") or None,
            group=group if _is_group(group) else None,
        )


def stored_mutation(body: bytes, *, schemas: Schemas = SCHEMAS) -> Mutation:
    """Return the mutation in a stored body, of a phone or of a console (which has no clock).

    One that came in a later version of the record schema than the first may have waited until
    this one could be read; members that nobody knew then are passed over.

    Raises:
        ProtocolError, ValueError: if it holds none that was ever decided.
    """
    members = Members(json.loads(body))
    return schemas.recall(_read(members, members.integer("n", low=1), body, stored=True))


def written_mutation(body: bytes) -> Mutation:
    """Return the mutation in a stored body in the words and the version of its author.

    Raises:
        ProtocolError, ValueError: if it holds none that was ever decided.
    """
    members = Members(json.loads(body))
    return _read(members, members.integer("n", low=1), body, stored=True)


def reads(body: bytes, schemas: Schemas) -> bool:
    """Say whether a kept body can be decided with `schemas`: all its members are known."""
    read = decode_mutation(json.loads(body), schemas=schemas)
    return isinstance(read, Mutation) and read.skew is None


def group_of(body: bytes) -> str | None:
    """Return the group that a kept body names, None if it names none that can be read."""
    group = json.loads(body).get("group")
    return group if _is_group(group) else None


def _is_group(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= GROUP_CHARS_MAX


def _body(value: dict[str, Any], pointer: str) -> bytes:
    try:
        body = canonical(value, depth=DEPTH_MAX)
    except ValueError as error:
        raise _fault_of(value, pointer) from error
    if len(body) > MUTATION_BYTES_MAX:
        raise ProtocolError(pointer, f"must have at most {MUTATION_BYTES_MAX} bytes")
    return body


def _fault_of(value: dict[str, Any], pointer: str) -> ProtocolError:
    """Name the member because of which a mutation has no canonical form."""
    for name, member in sorted(value.items(), key=lambda each: each[0]):
        fault = number_fault(member)
        if fault is not None:
            shown = f"{pointer}/{name}" if name in _NAMES else pointer
            return ProtocolError(shown, fault)
    return ProtocolError(pointer, "has no canonical form")


def _kept(value: dict[str, Any]) -> bytes:
    try:
        return canonical(value)
    except ValueError:
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _read(
    members: Members, n: int, body: bytes, *, newest: int = SCHEMA_FIRST, stored: bool = False
) -> Mutation:
    """Read the members; those of versions after `newest` may have others beside them."""
    schema = SCHEMA_FIRST
    if members.has("schema"):
        schema = members.integer("schema", low=SCHEMA_FIRST)
    if schema <= newest:
        members.only(_NAMES)
    clocked = not stored or members.has("clock")
    act = members.matching("act", _NAME, _NAME_REASON) if members.has("act") else None
    changes = ("set", "add", "remove")
    if act is not None and any(members.object(name) for name in changes):
        raise ProtocolError(members.at("act"), "must not stand beside a change of fields")
    if act is None and members.object("args"):
        raise ProtocolError(members.at("args"), "must stand beside an act")
    return Mutation(
        n=n,
        record=members.matching("record", _ID, _ID_REASON),
        kind=members.matching("kind", _NAME, _NAME_REASON),
        base=members.integer("base"),
        body=body,
        clock=read_clock(members.members("clock")) if clocked else None,
        set=_fields(members, "set"),
        add=_elements(members, "add"),
        remove=_elements(members, "remove"),
        act=act,
        args=_fields(members, "args"),
        position=(
            read_position(members.members("position")) if members.has("position") else None
        ),
        actor=members.matching("actor", _ID, _ID_REASON) if members.has("actor") else None,
        group=members.maybe_text("group", max_chars=GROUP_CHARS_MAX),
        why=members.maybe_text("why", max_chars=WHY_CHARS_MAX),
        schema=schema,
    )


def _fields(members: Members, name: str) -> dict[str, Any]:
    value = members.object(name)
    if len(value) > FIELDS_MAX:
        raise ProtocolError(members.at(name), f"must have at most {FIELDS_MAX} members")
    return value


def _elements(members: Members, name: str) -> Mapping[str, tuple[str, ...]]:
    read: dict[str, tuple[str, ...]] = {}
    for field, values in _fields(members, name).items():
        if not isinstance(values, list) or len(values) > SET_ELEMENTS_MAX:
            raise ProtocolError(
                members.at(name), f"must hold arrays of at most {SET_ELEMENTS_MAX} items"
            )
        if not all(isinstance(each, str) for each in values):
            raise ProtocolError(members.at(name), "must hold arrays of text")
        read[field] = tuple(values)
    return read
