"""Make registers, and their files from what the registry says now."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from server.areas.queries import narrowed, scope_of
from server.clock import new_id
from server.consolewrites import Asking
from server.problems import Forbidden, InvalidBody, NotFound
from server.registers import queries
from server.registers.queries import DbRow
from server.registers.rules import ALLOWED, DAY_MS, ROWS_MAX, mark_of
from server.registers.schemas import RegisterBody, RegisterCreate
from sync.holding import Purpose
from sync.rfc3339 import format_wall


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What goes into a file, and which records that gives out."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    mark: str
    purpose: str
    records: tuple[str, ...]


def register_body(row: DbRow) -> RegisterBody:
    """What a register is."""
    return RegisterBody(
        id=row.id,
        purpose=row.purpose,
        columns=json.loads(row.columns),
        area=row.area_id,
        rows=row.rows,
        made_ms=row.made_ms,
        expires_ms=row.expires_ms,
    )


def make_register(db: Connection, asking: Asking, body: RegisterCreate) -> RegisterBody:
    """Make a register of what is in scope.

    Raises:
        InvalidBody: if a column is not allowed for the purpose, or there are too many rows.
        InvalidParameter: if the area is not in scope.
    """
    allowed = ALLOWED.get(body.purpose)
    if allowed is None:
        raise InvalidBody.at("/purpose", f"must be one of {', '.join(ALLOWED)}")
    if len(set(body.columns)) < len(body.columns):
        raise InvalidBody.at("/columns", "names a column twice")
    for at, name in enumerate(body.columns):
        if name not in allowed.columns:
            reason = (
                f"is not needed for {body.purpose}; it may have {', '.join(allowed.columns)}"
            )
            raise InvalidBody.at(f"/columns/{at}", reason)
    scope = narrowed(db, scope_of(db, asking.principal, asking.now_ms), body.area)
    rows = queries.rows_in(db, scope, allowed.kind, limit=ROWS_MAX + 1)
    if len(rows) > ROWS_MAX:
        raise InvalidBody.at("/area", f"holds more than {ROWS_MAX} rows; name a smaller area")
    values: dict[str, Any] = {
        "id": new_id(),
        "account_id": asking.principal.account,
        "purpose": body.purpose.value,
        "columns": json.dumps(body.columns),
        "area_id": None if body.area is None else scope[0].id,
        "rows": len(rows),
        "made_ms": asking.now_ms,
        "expires_ms": asking.now_ms + body.days * DAY_MS,
    }
    queries.add(db, values)
    return register_body(the_register(db, asking, values["id"]))


def the_register(db: Connection, asking: Asking, register: str) -> DbRow:
    """One of the caller's own registers that has not expired.

    Raises:
        NotFound: if there is none.
    """
    found = queries.registers_of(
        db, asking.principal.account, now_ms=asking.now_ms, register=register
    )
    if not found:
        raise NotFound
    return found[0]


def content_of(db: Connection, asking: Asking, register: str) -> Content:
    """What the file of a register holds now, of what its author may see now.

    Raises:
        NotFound: if there is none, or its area is not in scope any more.
        Forbidden: if the area holds more by now than a register may.
    """
    row = the_register(db, asking, register)
    allowed = ALLOWED[Purpose(row.purpose)]
    scope = narrowed(db, scope_of(db, asking.principal, asking.now_ms), row.area_id)
    rows = queries.rows_in(db, scope, allowed.kind, limit=ROWS_MAX + 1)
    if len(rows) > ROWS_MAX:
        raise Forbidden(f"The area holds more than {ROWS_MAX} rows by now.")
    columns = json.loads(row.columns)
    homes = [each.household_id for each in rows] if allowed.kind == "resident" else []
    ids = dict.fromkeys([register, *(each.id for each in rows), *homes])
    return Content(
        columns=columns,
        rows=[[_shown(each, name) for name in columns] for each in rows],
        mark=mark_of(
            login=asking.principal.login,
            purpose=row.purpose,
            register=register,
            made=format_wall(asking.now_ms),
            until=format_wall(row.expires_ms),
        ),
        purpose=row.purpose,
        records=tuple(ids),
    )


def _shown(row: DbRow, name: str) -> object:
    value = row._mapping[name]  # noqa: SLF001 - SQLAlchemy's name
    return " ".join(json.loads(value)) if name == "languages" else value
