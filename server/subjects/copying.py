"""The copy of everything that is held about somebody, and nothing about anybody else.

It is JSON with one part for each kind of thing that is held. `PLACES` says of every table that
holds personal data which part answers for it, or whose data it is instead; a test compares it
with the data catalogue.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Connection

from server.areas.scope import Scope
from server.db.holdings import column_holdings
from server.erasure.queries import without_effect
from server.identifiers.queries import kept_in
from server.replication.dependants import ids_below
from server.replication.history_queries import history_of
from server.subjects import copy_queries as queries
from server.subjects.copy_queries import DbRow
from sync.codec import decode_record
from sync.erasing import named_in
from sync.errors import ProtocolError
from sync.fields import DataClass, Ref
from sync.holding import PURPOSES, RETENTIONS, Holding, holding_of_field
from sync.kinds import KINDS
from sync.record import Record
from sync.state import live_value, state_of
from sync.wire_mutation import stored_mutation

FORMAT: Final = "jingwei-copy/1"
ROWS_MAX: Final = 10_000
_HOME_ONLY: Final = frozenset({"contact_phone"})
"""Of the household a resident lives in: what may belong to somebody else who lives there."""
_STAFF: Final = "is about the office's own people"
_MATTERS: Final = "is about a place or a matter, not about you"
PLACES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "access_entry": "readers",
        "account": _STAFF,
        "assignment": _STAFF,
        "boundary_change": _STAFF,
        "break_glass": "readers",
        "bucket": _STAFF,
        "bucket_exit": "records",
        "claim": _MATTERS,
        "conflict": "disagreements",
        "consent_entry": "consents",
        "device": _STAFF,
        "device_actor": _STAFF,
        "grid_version": _STAFF,
        "held": "waiting",
        "household": "records",
        "household_register": _STAFF,
        "incident": _MATTERS,
        "media_copy": _MATTERS,
        "media_declaration": _MATTERS,
        "media_upload": _MATTERS,
        "mutation": "history",
        "not_same": _STAFF,
        "note": "records",
        "notice": _STAFF,
        "record": "records",
        "report": _MATTERS,
        "resident": "records",
        "resident_identifier": "identity_numbers",
        "service_point": _STAFF,
        "snapshot": "records",
        "subject_copy": "requests",
        "subject_request": "requests",
        "subject_step": "requests",
        "task": _MATTERS,
        "token": _STAFF,
        "visit": "records",
    }
)
"""For each table with personal data: the part of a copy that shows it, or why none does."""
LEFT_OUT: Final = (
    "names of the office's people: their accounts are given as ids",
    "other people of the household, and its common telephone number in a copy for one of them",
    "an identity number itself: it is shown on the spot, to you",
    "free text in reports that may speak of you: it is not found by an id",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """A copy, and the ids of the records that are in it."""

    body: bytes
    records: tuple[str, ...]


def ids_about(db: Connection, about: str, record: str) -> tuple[str, ...]:
    """Return the ids of what is about a household as a whole, or about one resident.

    A household's residents and what was written about one of them are theirs, not its own.
    """
    below = ids_below(db, [record])
    if about == "resident":
        return tuple(sorted(below | {record}))
    found = queries.records(db, sorted(below))
    people = [row.id for row in found if row.kind == "resident"]
    theirs = ids_below(db, people) | set(people) if people else frozenset()
    return tuple(sorted((below - theirs) | {record}))


def copy_of(db: Connection, scope: Scope, about: str, record: str, *, now_ms: int) -> Copied:
    """Gather everything that is held about a household or a resident, as of now."""
    ids = ids_about(db, about, record)
    own = [_decoded(row) for row in queries.records(db, ids)]
    home = _home_of(db, own, record) if about == "resident" else None
    shown = [_record(each, frozenset()) for each in own]
    if home is not None:
        shown.append(_record(home, _HOME_ONLY))
    asked = _asked_about(db, ids)
    parts: dict[str, list[Any]] = {
        "records": shown,
        "history": [_asked(row) for row in asked],
        "without_effect": _without_effect(db, ids, {row.pos for row in asked}),
        "disagreements": [
            _disagreement(row) for row in queries.disagreements(db, ids, limit=ROWS_MAX + 1)
        ],
        "waiting": _plain(queries.waiting(db, ids, limit=ROWS_MAX + 1)),
        "identity_numbers": _numbers(db, scope, record, now_ms),
        "readers": _plain(queries.readers(db, ids, limit=ROWS_MAX + 1)),
        "consents": _plain(queries.consents(db, ids, limit=ROWS_MAX + 1)),
        "requests": _plain(queries.requests(db, [record], limit=ROWS_MAX + 1)),
    }
    document = {
        "format": FORMAT,
        "about": {"kind": about, "id": record},
        "made_ms": now_ms,
        **{name: rows[:ROWS_MAX] for name, rows in parts.items()},
        "cut_short": sorted(name for name, rows in parts.items() if len(rows) > ROWS_MAX),
        "fields": _fields({each["kind"] for each in shown}),
        "held_in": held_in(),
        "words": {"purposes": dict(PURPOSES), "retention": dict(RETENTIONS)},
        "left_out": list(LEFT_OUT),
    }
    text = json.dumps(document, ensure_ascii=False, indent=1)
    given = ids if home is None else (*ids, home.id)
    return Copied(body=text.encode(), records=given)


def held_in() -> list[dict[str, Any]]:
    """Return every table with personal data: why, for how long, and where a copy shows it."""
    tables: dict[str, list[Holding]] = {}
    for each in column_holdings():
        if each.holding is not None and each.holding.data_class is not DataClass.P0:
            tables.setdefault(each.table, []).append(each.holding)
    return [
        {
            "table": name,
            "shown_in": PLACES[name],
            "classes": sorted({each.data_class.value for each in said}),
            "purposes": sorted({word.value for each in said for word in each.purposes}),
            "retention": sorted({each.retention.value for each in said}),
            "source": sorted({each.source.value for each in said}),
        }
        for name, said in sorted(tables.items())
    ]


def _decoded(row: DbRow) -> Record:
    return decode_record(row.id, row.kind, row.bucket, row.rev, row.truth)


def _home_of(db: Connection, own: Sequence[Record], record: str) -> Record | None:
    person = next((each for each in own if each.id == record), None)
    home = None if person is None else live_value(person, "household")
    rows = [] if home is None else queries.records(db, [home])
    return _decoded(rows[0]) if rows else None


def _record(record: Record, besides: frozenset[str]) -> dict[str, Any]:
    """The values of a record, without what names one of the office's people."""
    fields = KINDS[record.kind].fields
    staff = {name for name, each in fields.items() if each.type == Ref("user")}
    values = {
        name: value
        for name, value in state_of(record).items()
        if name not in staff | besides and name != "conflicts"
    }
    return {"kind": record.kind, "id": record.id, "rev": record.rev, "values": values}


def _asked_about(db: Connection, ids: Iterable[str]) -> list[DbRow]:
    """What was asked about some records, each in the order in which it took effect."""
    found: list[DbRow] = []
    for record in ids:
        if len(found) <= ROWS_MAX:
            found += history_of(db, record, after=-1, limit=ROWS_MAX + 1 - len(found))
    return found


def _without_effect(
    db: Connection, ids: Sequence[str], besides: set[int]
) -> list[dict[str, Any]]:
    """What names some records and had no effect when it came, but for some positions."""
    known = frozenset(ids)
    bodies = [
        bytes(row.body)
        for rows in without_effect(db)
        for row in rows
        if row.pos not in besides and not known.isdisjoint(named_in(bytes(row.body)))
    ]
    return [_said(body) for body in bodies]


def _asked(row: DbRow) -> dict[str, Any]:
    said = {
        "record": row.record_id,
        "at_ms": row.at_ms,
        "received_ms": row.received_ms,
        "by": "desk" if row.console else "phone",
        "outcome": row.outcome,
        "code": row.code,
    }
    return said | _said(bytes(row.body))


def _said(body: bytes) -> dict[str, Any]:
    try:
        mutation = stored_mutation(body)
    except (ProtocolError, ValueError):
        return {"unread": body.decode(errors="replace")}
    parts = {
        "set": mutation.set,
        "add": mutation.add,
        "remove": mutation.remove,
        "args": mutation.args,
    }
    named = {name: dict(each) for name, each in parts.items() if each}
    return {"act": mutation.act} | named


def _numbers(db: Connection, scope: Scope, record: str, now_ms: int) -> list[dict[str, Any]]:
    """Which identity numbers are kept of a resident, for what and until when; no number."""
    return [
        {
            "kind": row.kind,
            "purpose": row.purpose,
            "set_ms": row.set_ms,
            "expires_ms": row.expires_ms,
        }
        for row in kept_in(db, scope, record, now_ms=now_ms)
    ]


def _disagreement(row: DbRow) -> dict[str, Any]:
    values = [
        {"value": each["value"], "at_ms": each["at_ms"]} for each in json.loads(row.choices)
    ]
    (shown,) = _plain([row])
    shown["choices"] = values
    return shown


def _plain(rows: Sequence[DbRow]) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in rows]  # noqa: SLF001 - its public name


def _fields(kinds: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What is said of every field of some kinds: class, purposes, retention, source."""
    said: dict[str, dict[str, Any]] = {}
    for name in sorted(kinds):
        kind = KINDS[name]
        said[name] = {
            field: {
                "class": holding.data_class.value,
                "purposes": [each.value for each in holding.purposes],
                "retention": holding.retention.value,
                "source": holding.source.value,
            }
            for field in (*kind.fields, *kind.sets)
            if (holding := holding_of_field(name, field)) is not None
        }
    return said
