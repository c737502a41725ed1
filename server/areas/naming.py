"""What areas are and were called: the code is a thing said of an area, never its key."""

from collections.abc import Sequence

from sqlalchemy import Connection

from server.areas.queries import AreaRow, former_codes
from server.areas.schemas import AreaBody, AreaCodesBody, CodeBody
from sync.rfc3339 import format_wall


def area_bodies(
    db: Connection, rows: Sequence[AreaRow], *, as_of_ms: int | None
) -> list[AreaBody]:
    """Return areas in order, called as they are or, with `as_of_ms`, as they were then."""
    then: dict[str, AreaRow] = {}
    if as_of_ms is not None and rows:
        for each in former_codes(db, [row.id for row in rows]):
            if as_of_ms < each.valid_to_ms:
                then.setdefault(each.area_id, each)
    return [_body(row, then.get(row.id, row)) for row in rows]


def _body(row: AreaRow, called: AreaRow) -> AreaBody:
    return AreaBody(
        id=row.id, code=called.code, name=called.name, level=row.level, parent=row.parent_id
    )


def codes_of(db: Connection, row: AreaRow) -> AreaCodesBody:
    """Return all that an area was ever called, the newest first."""
    former = former_codes(db, [row.id])
    since = former[-1].valid_to_ms if former else None
    now = CodeBody(code=row.code, name=row.name, valid_from=_time(since), valid_to=None)
    before = [
        CodeBody(
            code=each.code,
            name=each.name,
            valid_from=_time(each.valid_from_ms),
            valid_to=_time(each.valid_to_ms),
        )
        for each in reversed(former)
    ]
    return AreaCodesBody(id=row.id, codes=[now, *before])


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else format_wall(at_ms)
