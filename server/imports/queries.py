"""Questions the importers ask the database, and the area tree's only writer."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, func, insert, or_, select

from server.db.bulk import among, upsert
from server.db.reach import everywhere
from server.db.spatial import bbox_filter, extent
from server.db.tables import (
    Alias,
    Area,
    AreaCode,
    Dwelling,
    EventClass,
    Grid,
    Household,
    RecordRow,
)
from server.imports.stored import StoredArea
from server.replication.queries import next_number
from sync.kinds import GRID

TREE_VERSION = "areas"
_COMMUNITY = GRID.fields["community"].type
Bounds = tuple[float, float, float, float]


def lock_tree(db: Connection) -> None:
    """Let one writer at a time give out area numbers: the row stays locked until the end."""
    next_number(db, TREE_VERSION)


def areas_around(db: Connection, codes: Sequence[str]) -> dict[str, StoredArea]:
    """Areas with these codes, with their parents, siblings and children, by code.

    The siblings and children are those whose numbers are taken; the roots are always there.
    """
    columns = Area.__table__.c
    named = select(columns.id, columns.parent_id).where(among(db, columns.code, codes))
    near = {each for row in db.execute(named) for each in row if each is not None}
    wanted = or_(
        among(db, columns.id, sorted(near)),
        among(db, columns.parent_id, sorted(near)),
        columns.parent_id.is_(None),
    )
    rows = db.execute(select(*columns).where(wanted))
    return {row.code: StoredArea(**row._mapping) for row in rows}  # noqa: SLF001 - SQLAlchemy's name


def areas_with(db: Connection, codes: Sequence[str], *, level: int) -> dict[str, StoredArea]:
    """Areas of one level with these codes, by code."""
    columns = Area.__table__.c
    wanted = among(db, columns.code, codes)
    rows = db.execute(select(*columns).where(wanted, columns.level == level))
    return {row.code: StoredArea(**row._mapping) for row in rows}  # noqa: SLF001 - SQLAlchemy's name


def areas_named(db: Connection, names: Sequence[str], *, level: int) -> dict[str, StoredArea]:
    """Areas of one level by the names they were asked for: their codes or their ids."""
    columns = Area.__table__.c
    ids = [each for each in names if _COMMUNITY.fault(each) is None]
    found = areas_with(db, names, level=level)
    if not ids:
        return found
    wanted = among(db, columns.id, ids)
    rows = db.execute(select(*columns).where(wanted, columns.level == level))
    return found | {row.id: StoredArea(**row._mapping) for row in rows}  # noqa: SLF001 - SQLAlchemy's name


def ground(db: Connection) -> Bounds | None:
    """Bounds of all grids in force in WGS 84 degrees, None without any."""
    table = Grid.__table__
    in_force = table.c.valid_to_ms.is_(None)
    west, south, east, north = db.execute(extent(db.dialect.name, table, in_force)).one()
    return None if west is None else (west, south, east, north)


def area_ids(db: Connection, codes: Sequence[str]) -> dict[str, str]:
    """Area code to id, for those that exist."""
    columns = Area.__table__.c
    statement = select(columns.code, columns.id).where(among(db, columns.code, codes))
    return {row.code: row.id for row in db.execute(statement)}


def save_areas(db: Connection, areas: Sequence[StoredArea]) -> None:
    """Insert areas, a level at a time since each refers to its parent; or change what it says.

    What changes of an area that exists is its code and its name.
    """
    for level in sorted({each.level for each in areas}):
        rows = [asdict(each) for each in areas if each.level == level]
        upsert(db, Area.__table__, rows, key=("id",), update=("code", "name"))


def note_former(db: Connection, areas: Sequence[StoredArea], now_ms: int) -> None:
    """Keep the codes and names that areas have until now."""
    former = AreaCode.__table__.c
    statement = (
        select(former.area_id, func.max(former.valid_to_ms))
        .where(among(db, former.area_id, [each.id for each in areas]))
        .group_by(former.area_id)
    )
    since: dict[str, int] = {row[0]: row[1] for row in db.execute(statement)}
    rows = [
        {
            "area_id": each.id,
            "valid_to_ms": max(now_ms, since.get(each.id, 0) + 1),
            "valid_from_ms": since.get(each.id),
            "code": each.code,
            "name": each.name,
        }
        for each in areas
    ]
    if rows:
        db.execute(insert(AreaCode.__table__), rows)


def former_owners(db: Connection, codes: Sequence[str]) -> dict[str, set[str]]:
    """Code to the ids of the areas that had it before, for those that some area had."""
    former = AreaCode.__table__.c
    found: dict[str, set[str]] = {}
    for row in db.execute(
        select(former.code, former.area_id).where(among(db, former.code, codes))
    ):
        found.setdefault(row.code, set()).add(row.area_id)
    return found


def areas_at_levels(db: Connection, levels: Sequence[int]) -> dict[str, StoredArea]:
    """Every area of these levels, by code."""
    columns = Area.__table__.c
    rows = db.execute(select(*columns).where(columns.level.in_(list(levels))))
    return {row.code: StoredArea(**row._mapping) for row in rows}  # noqa: SLF001 - SQLAlchemy's name


def states_of(
    db: Connection, record_ids: Sequence[str]
) -> dict[str, tuple[int, dict[str, Any]]]:
    """Record id to its revision and visible state, for those that exist."""
    columns = RecordRow.__table__.c
    statement = select(columns.id, columns.rev, columns.body).where(
        among(db, columns.id, record_ids)
    )
    return {row.id: (row.rev, json.loads(row.body)["state"]) for row in db.execute(statement)}


def standing_of(db: Connection, record_ids: Sequence[str]) -> dict[str, tuple[int, bool]]:
    """Record id to its area number and whether another record stands for it now."""
    columns, alias = RecordRow.__table__.c, Alias.__table__.c
    statement = (
        select(columns.id, columns.area_no, alias.into_id)
        .join(Alias.__table__, alias.record_id == columns.id, isouter=True)
        .where(among(db, columns.id, record_ids))
    )
    rows = db.execute(statement)
    return {row.id: (row.area_no, row.into_id is not None) for row in rows}


def grids_with(
    db: Connection, codes: Sequence[str], span: tuple[int, int] | None = None
) -> dict[str, str]:
    """Grid code to id, of grids in force, inside a span of area numbers if one is given."""
    columns = Grid.__table__.c
    statement = select(columns.code, columns.id).where(
        among(db, columns.code, codes), columns.valid_to_ms.is_(None)
    )
    if span is not None:
        statement = statement.where(columns.area_no.between(*span))
    return {row.code: row.id for row in db.execute(statement.order_by(columns.id))}


def grids_among(
    db: Connection, grid_ids: Sequence[str], span: tuple[int, int] | None
) -> set[str]:
    """Those of the grids that lie inside a span of area numbers."""
    if span is None:
        return set(grid_ids)
    columns = Grid.__table__.c
    statement = select(columns.id).where(
        among(db, columns.id, grid_ids), columns.area_no.between(*span)
    )
    return set(db.execute(statement).scalars())


def dwellings_with(
    db: Connection, codes: Sequence[str], span: tuple[int, int] | None = None
) -> dict[str, str]:
    """Dwelling code to id, inside a span of area numbers if one is given."""
    columns = Dwelling.__table__.c
    statement = select(columns.code, columns.id).where(among(db, columns.code, codes))
    if span is not None:
        statement = statement.where(columns.area_no.between(*span))
    return {row.code: row.id for row in db.execute(statement.order_by(columns.id))}


def classes_with(db: Connection, codes: Sequence[str]) -> dict[str, str]:
    """Event class code to id."""
    columns = EventClass.__table__.c
    statement = select(columns.code, columns.id).where(among(db, columns.code, codes))
    return {row.code: row.id for row in db.execute(statement.order_by(columns.id))}


def households_among(
    db: Connection, record_ids: Sequence[str], span: tuple[int, int] | None = None
) -> set[str]:
    """Those of the ids that are households, inside a span of area numbers if one is given."""
    everywhere(db)
    columns = Household.__table__.c
    statement = select(columns.id).where(among(db, columns.id, record_ids))
    if span is not None:
        statement = statement.where(columns.area_no.between(*span))
    return set(db.execute(statement).scalars())


def grids_near(db: Connection, bounds: Bounds) -> dict[str, BaseGeometry]:
    """Code to boundary of every grid in force whose bounding box touches `bounds`."""
    table = Grid.__table__
    near = bbox_filter(db.dialect.name, table, bounds)
    statement = select(table.c.code, table.c.geom).where(near, table.c.valid_to_ms.is_(None))
    statement = statement.order_by(table.c.code)
    return {row.code: row.geom for row in db.execute(statement)}
