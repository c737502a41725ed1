"""Rows of a layer: the columns it publishes and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from geo.layers import GRIDS, INCIDENTS, TASKS, Layer
from server.areas.scope import Scope, within
from server.db.spatial import as_wkb, intersects
from server.db.tables import Grid, Incident, Task
from server.layers.bounds import Bounds, shape_of
from server.layers.interval import ALWAYS, Interval

LayerRow = Row[*tuple[Any, ...]]
_TABLES: Mapping[str, Table] = {
    GRIDS.id: Grid.__table__,
    INCIDENTS.id: Incident.__table__,
    TASKS.id: Task.__table__,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which features of a layer are wanted. `bounds` are WGS 84 degrees."""

    bounds: Bounds | None = None
    interval: Interval = ALWAYS
    after_fid: int | None = None


def layer_rows(
    db: Connection, scope: Scope, layer: Layer, *, selection: Selection, limit: int
) -> Sequence[LayerRow]:
    """`(fid, wkb, fields of the layer in their order)` of the selected features, by fid.

    A grid is wanted if it is in force at some time of the interval; other features if their
    time lies in it.
    """
    table = _TABLES[layer.id]
    fields = [table.c[each.source].label(f"field_{n}") for n, each in enumerate(layer.fields)]
    wkb = as_wkb(db.dialect.name, table).label("wkb")
    statement = select(table.c.fid, wkb, *fields).where(
        within(table.c.area_no, scope), ~table.c.archived
    )
    if selection.bounds is not None:
        shape = shape_of(selection.bounds)
        statement = statement.where(intersects(db.dialect.name, table, shape))
    at_ms = table.c[next(f.source for f in layer.fields if f.name == layer.time_field)]
    lo_ms, hi_ms = selection.interval
    if layer is GRIDS:
        if hi_ms is not None:
            statement = statement.where(at_ms.is_(None) | (at_ms <= hi_ms))
    else:
        if lo_ms is not None:
            statement = statement.where(at_ms >= lo_ms)
        if hi_ms is not None:
            statement = statement.where(at_ms <= hi_ms)
    if selection.after_fid is not None:
        statement = statement.where(table.c.fid > selection.after_fid)
    return db.execute(statement.order_by(table.c.fid).limit(limit)).all()
