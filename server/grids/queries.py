"""Questions about grids. Boundaries come back as WKB, so that they can be encoded at once."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, or_, select

from server.areas.scope import Scope, within
from server.db.bulk import among
from server.db.periods import holds_at
from server.db.spatial import as_wkb, intersects
from server.db.tables import Alias, Dwelling, Grid, GridLineage, GridVersion
from server.layers.bounds import Bounds, shape_of

GridRow = Row[*tuple[Any, ...]]
_grid = Grid.__table__.c
_dwelling = Dwelling.__table__.c
_version = GridVersion.__table__.c
_lineage = GridLineage.__table__.c
_began = (
    select(func.max(_version.valid_from_ms))
    .where(_version.grid_id == _grid.id)
    .correlate(Grid.__table__)
    .scalar_subquery()
    .label("valid_from_ms")
)
_alias = Alias.__table__.c
_PLAIN: tuple[ColumnElement[Any], ...] = (
    _grid.id,
    _grid.rev,
    _grid.code,
    _grid.name,
    _grid.community_id,
    _grid.area_m2,
    _began,
    _grid.valid_to_ms,
    _grid.area_no,
)
_VERSION: tuple[ColumnElement[Any], ...] = (
    _version.grid_id.label("id"),
    _version.rev,
    _version.code,
    _version.name,
    _version.community_id,
    _version.area_m2,
    _version.valid_from_ms,
    _version.valid_to_ms,
    _version.area_no,
)
VERSIONS_MAX = 500


def _grids(db: Connection, scope: Scope) -> Select[*tuple[Any, ...]]:
    boundary = as_wkb(db.dialect.name, Grid.__table__).label("wkb")
    return select(*_PLAIN, boundary).where(within(_grid.area_no, scope))


def _versions(db: Connection, scope: Scope) -> Select[*tuple[Any, ...]]:
    boundary = as_wkb(db.dialect.name, GridVersion.__table__).label("wkb")
    return select(*_VERSION, boundary).where(within(_version.area_no, scope))


def grids_in(
    db: Connection,
    scope: Scope,
    *,
    as_of_ms: int | None = None,
    bounds: Bounds | None,
    after_no: int | None,
    limit: int,
) -> Sequence[GridRow]:
    """Grids that meet `bounds` (WGS 84 degrees), in tree order, with boundary (`wkb`).

    Those in force now, or with `as_of_ms` those that were then, as they were.
    """
    if as_of_ms is None:
        table, statement = Grid.__table__, _grids(db, scope).where(_grid.valid_to_ms.is_(None))
    else:
        table, statement = (
            GridVersion.__table__,
            _versions(db, scope).where(holds_at(_version, as_of_ms)),
        )
    if bounds is not None:
        statement = statement.where(intersects(db.dialect.name, table, shape_of(bounds)))
    if after_no is not None:
        statement = statement.where(table.c.area_no > after_no)
    return db.execute(statement.order_by(table.c.area_no).limit(limit)).all()


def grid_in(
    db: Connection, scope: Scope, grid_id: str, *, as_of_ms: int | None = None
) -> GridRow | None:
    """One grid with its boundary as `wkb`, or None; with `as_of_ms` as it was then."""
    if as_of_ms is None:
        statement = _grids(db, scope).where(_grid.id == grid_id)
    else:
        statement = _versions(db, scope).where(
            _version.grid_id == grid_id, holds_at(_version, as_of_ms)
        )
    return db.execute(statement).one_or_none()


def versions_of(db: Connection, scope: Scope, grid_id: str) -> Sequence[GridRow]:
    """The versions of a grid in scope, the newest first, with their boundaries (`wkb`)."""
    statement = (
        _versions(db, scope)
        .add_columns(_version.change_id)
        .where(_version.grid_id == grid_id)
        .order_by(_version.valid_from_ms.desc())
        .limit(VERSIONS_MAX)
    )
    return db.execute(statement).all()


def lineage_of(db: Connection, grid_id: str) -> Sequence[GridRow]:
    """Where ground of a grid came from and went to, the newest first; the id is of a scope."""
    statement = (
        select(*_lineage)
        .where(or_(_lineage.parent_id == grid_id, _lineage.child_id == grid_id))
        .order_by(_lineage.at_ms.desc(), _lineage.parent_id, _lineage.child_id)
        .limit(VERSIONS_MAX)
    )
    return db.execute(statement).all()


def grids_named(db: Connection, scope: Scope, grid_ids: Sequence[str]) -> dict[str, GridRow]:
    """Those of `grid_ids` in scope and in force, by id, without boundaries."""
    statement = select(*_PLAIN).where(
        within(_grid.area_no, scope),
        among(db, _grid.id, list(grid_ids)),
        _grid.valid_to_ms.is_(None),
    )
    return {row.id: row for row in db.execute(statement)}


def grids_named_at(
    db: Connection, scope: Scope, grid_ids: Sequence[str], *, as_of_ms: int
) -> dict[str, GridRow]:
    """Those of `grid_ids` in scope that were in force then, as they were, by id."""
    statement = select(*_VERSION).where(
        within(_version.area_no, scope),
        among(db, _version.grid_id, list(grid_ids)),
        holds_at(_version, as_of_ms),
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
