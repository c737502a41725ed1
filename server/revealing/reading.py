"""Find whole values, and note the look in the same transaction."""

import json
from typing import Any

from sqlalchemy import Connection

from server.archive.queries import record_in
from server.areas.queries import scope_of
from server.areas.scope import Scope
from server.breakglass.sight import sight_of
from server.conflicts.queries import conflicts_in
from server.households.reading import (
    household_fields,
    resident_fields,
    the_household,
    the_resident,
)
from server.inbox.reading import the_row
from server.problems import BodyError, InvalidBody, NotFound
from server.revealing.access import Desk, Seen, note_seen
from server.revealing.schemas import FieldsReveal, RevealedFields, RevealedWork, Why
from sync.holding import holding_of_field
from sync.masking import MASKS, masked_within

CONFLICTS_MAX = 100
_NOT_MASKED = "is not a field of this record that is masked"
_OTHER_PURPOSE = "must be one that every field is held for"


def revealed_fields(
    db: Connection, desk: Desk, record_id: str, asked: FieldsReveal
) -> RevealedFields:
    """Return masked fields of a household or a resident, whole; noted before.

    Raises:
        NotFound: if the record is not in scope.
        RecordMerged: if another record stands for it.
        InvalidBody: if a field is not masked, or not held for the purpose.
        TooManyRequests: if the account looked too often in a day.
    """
    asking = desk.asking
    sight = sight_of(db, asking.principal, asking.now_ms, about=(record_id,))
    row = record_in(db, sight.scope, record_id)
    if row is None:
        raise NotFound
    names = tuple(dict.fromkeys(asked.fields))
    _check(row.kind, names, asked)
    whole = _whole(db, sight.scope, row.kind, record_id)
    glass = sight.glass((row.area_no,))
    grant = None if glass is None else glass.id
    note_seen(db, desk, Seen(kind=row.kind, record=record_id, fields=names, grant=grant), asked)
    return RevealedFields(
        record=record_id,
        kind=row.kind,
        rev=row.rev,
        values={name: whole[name] for name in names},
        contested=_contested(db, sight.scope, record_id, names),
    )


def _check(kind: str, names: tuple[str, ...], why: Why) -> None:
    masks = MASKS.get(kind, {})
    wrong = [
        BodyError(pointer=f"/fields/{at}", reason=_NOT_MASKED)
        for at, name in enumerate(names)
        if name not in masks
    ]
    if wrong:
        raise InvalidBody(errors=wrong)
    for name in names:
        held = holding_of_field(kind, name)
        if held is None or why.purpose not in {each.value for each in held.purposes}:
            raise InvalidBody.at("/purpose", _OTHER_PURPOSE)


def _whole(db: Connection, scope: Scope, kind: str, record_id: str) -> dict[str, Any]:
    if kind == "household":
        return household_fields(the_household(db, scope, record_id))
    return resident_fields(the_resident(db, scope, record_id))


def _contested(
    db: Connection, scope: Scope, record_id: str, names: tuple[str, ...]
) -> dict[str, list[str | None]]:
    rows = conflicts_in(
        db, scope, equal={"record_id": record_id, "status": "open"}, limit=CONFLICTS_MAX
    )
    return {
        row.field: [each["value"] for each in json.loads(row.choices)]
        for row in rows
        if row.field in names
    }


def revealed_work(db: Connection, desk: Desk, key: tuple[str, int], why: Why) -> RevealedWork:
    """Return what waiting work says, whole; noted before.

    Raises:
        NotFound: if it is not in scope.
        TooManyRequests: if the account looked too often in a day.
    """
    scope = scope_of(db, desk.asking.principal, desk.asking.now_ms)
    row = the_row(db, scope, *key)
    body = json.loads(row.body)
    names = masked_within(row.kind, body)
    seen = Seen(kind=row.kind or "record", record=row.record_id, fields=names)
    note_seen(db, desk, seen, why)
    return RevealedWork(body=body)
