"""Questions about grids. Boundaries come back as WKB, so that they can be encoded at once."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from server.areas.scope import Scope, within
from server.db.bulk import among
from server.db.spatial import as_wkb, intersects
from server.db.tables import Alias, Dwelling, Grid
from server.layers.bounds import Bounds, shape_of

GridRow = Row[*tuple[Any, ...]]
_grid = Grid.__table__.c
_dwelling = Dwelling.__table__.c
_alias = Alias.__table__.c
_PLAIN = (
    _grid.id,
    _grid.rev,
    _grid.code,
    _grid.name,
    _grid.community_id,
    _grid.area_m2,
    _grid.valid_from_ms,
    _grid.area_no,
)


def _grids(db: Connection, scope: Scope) -> Select[*tuple[Any, ...]]:
    boundary = as_wkb(db.dialect.name, Grid.__table__).label("wkb")
    return select(*_PLAIN, boundary).where(within(_grid.area_no, scope))


def grids_in(
    db: Connection,
    scope: Scope,
    *,
    bounds: Bounds | None,
    after_no: int | None,
    limit: int,
) -> Sequence[GridRow]:
    """Grids that meet `bounds` (WGS 84 degrees), in tree order, with boundary (`wkb`)."""
    statement = _grids(db, scope)
    if bounds is not None:
        statement = statement.where(
            intersects(db.dialect.name, Grid.__table__, shape_of(bounds))
        )
    if after_no is not None:
        statement = statement.where(_grid.area_no > after_no)
    return db.execute(statement.order_by(_grid.area_no).limit(limit)).all()


def grid_in(db: Connection, scope: Scope, grid_id: str) -> GridRow | None:
    """One grid with its boundary as `wkb`, or None."""
    return db.execute(_grids(db, scope).where(_grid.id == grid_id)).one_or_none()


def grids_named(db: Connection, scope: Scope, grid_ids: Sequence[str]) -> dict[str, GridRow]:
    """Those of `grid_ids` in scope, by id, without boundaries."""
    statement = select(*_PLAIN).where(
        within(_grid.area_no, scope), among(db, _grid.id, list(grid_ids))
    )
    return {row.id: row for row in db.execute(statement)}


def dwellings_of(
    db: Connection, scope: Scope, grid_id: str, *, limit: int
) -> Sequence[GridRow]:
    """`(id, rev, geom)` of the dwellings of a grid in scope, by id; those put away too.

    One that was merged into another has no place of its own any more and is left out.
    """
    statement = (
        select(_dwelling.id, _dwelling.rev, _dwelling.geom)
        .where(
            within(_dwelling.area_no, scope),
            _dwelling.grid_id == grid_id,
            _dwelling.id.not_in(select(_alias.record_id).where(_alias.kind == "dwelling")),
        )
        .order_by(_dwelling.id)
        .limit(limit)
    )
    return db.execute(statement).all()
