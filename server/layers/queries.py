"""Rows of a layer: the columns it publishes and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, func, select

from geo.layers import GRIDS, INCIDENTS, TASKS, Layer
from server.areas.scope import Scope, within
from server.db.spatial import as_wkb, intersects
from server.db.tables import GridVersion, Incident, Task
from server.layers.bounds import Bounds, shape_of
from server.layers.interval import ALWAYS, Interval

LayerRow = Row[*tuple[Any, ...]]
_FOREVER = 2**63 - 1
_OF_VERSION = {"id": "grid_id", "updated_ms": "recorded_ms"}
"""What fields of the layer of grids are called in the table of their versions."""
_TABLES: Mapping[str, Table] = {
    GRIDS.id: GridVersion.__table__,
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

    Of grids those in force now, or with an interval every version that held at some time of
    it; other features if their time lies in it.
    """
    table = _TABLES[layer.id]
    names = _OF_VERSION if layer is GRIDS else {}
    fields = [
        table.c[names.get(each.source, each.source)].label(f"field_{n}")
        for n, each in enumerate(layer.fields)
    ]
    wkb = as_wkb(db.dialect.name, table).label("wkb")
    statement = select(table.c.fid, wkb, *fields).where(
        within(table.c.area_no, scope), *_in_time(layer, table, selection.interval)
    )
    if selection.bounds is not None:
        shape = shape_of(selection.bounds)
        statement = statement.where(intersects(db.dialect.name, table, shape))
    if selection.after_fid is not None:
        statement = statement.where(table.c.fid > selection.after_fid)
    return db.execute(statement.order_by(table.c.fid).limit(limit)).all()


def _in_time(layer: Layer, table: Table, interval: Interval) -> list[ColumnElement[bool]]:
    """The conditions that a feature belongs to the interval."""
    from_ms: ColumnElement[Any] = table.c[
        next(f.source for f in layer.fields if f.name == layer.time_field)
    ]
    until_ms, conditions = from_ms, list[ColumnElement[bool]]()
    if layer is GRIDS:
        ends_ms = table.c.valid_to_ms
        if interval == ALWAYS:
            return [ends_ms.is_(None)]
        # A version holds until before its end.
        until_ms = func.coalesce(ends_ms - 1, _FOREVER)
    else:
        conditions.append(~table.c.archived)
    if interval.lo_ms is not None:
        conditions.append(until_ms >= interval.lo_ms)
    if interval.hi_ms is not None:
        conditions.append(from_ms <= interval.hi_ms)
    return conditions
