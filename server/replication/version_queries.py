"""Questions about the versions of grids, and their only writer."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from server.db.bulk import Rows, among, upsert
from server.db.tables import GridVersion
from server.replication.queries import DbRow

_version = GridVersion.__table__.c


def last_versions(db: Connection, grid_ids: Sequence[str]) -> dict[str, DbRow]:
    """Grid id to `(from_ms, to_ms, in_force)` of its last version, for those that have one.

    `to_ms` is when the last version that ended did, None if none has.
    """
    statement = (
        select(
            _version.grid_id,
            func.max(_version.valid_from_ms).label("from_ms"),
            func.max(_version.valid_to_ms).label("to_ms"),
            (func.count() > func.count(_version.valid_to_ms)).label("in_force"),
        )
        .where(among(db, _version.grid_id, list(grid_ids)))
        .group_by(_version.grid_id)
    )
    return {row.grid_id: row for row in db.execute(statement)}


def end_versions(db: Connection, ends: Sequence[tuple[str, int]]) -> None:
    """End the versions in force of `(grid id, end in ms)`."""
    statement = (
        update(GridVersion.__table__)
        .where(_version.grid_id == bindparam("grid"), _version.valid_to_ms.is_(None))
        .values(valid_to_ms=bindparam("ends"))
    )
    db.execute(statement, [{"grid": grid, "ends": ends_ms} for grid, ends_ms in ends])


def add_versions(db: Connection, rows: Rows) -> None:
    """Insert versions; the database refuses one that another of its grid overlaps."""
    upsert(db, GridVersion.__table__, rows, key=("grid_id", "valid_from_ms"), update=None)


def all_versions(db: Connection) -> Sequence[DbRow]:
    """`(grid_id, code, valid_from_ms, valid_to_ms, geom)` of every version there ever was."""
    columns: list[Any] = [
        _version.grid_id,
        _version.code,
        _version.valid_from_ms,
        _version.valid_to_ms,
        _version.geom,
    ]
    return db.execute(select(*columns).order_by(_version.fid)).all()
