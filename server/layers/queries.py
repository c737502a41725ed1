"""Rows of a layer: the columns it publishes and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, func, select

from geo.anonymity import EXPORT_K, SCREEN_K, publishable
from geo.layers import GRIDS, HOUSEHOLD_COUNTS, INCIDENTS, TASKS, FieldKind, Layer
from server.areas.scope import Scope, within
from server.db.reach import everywhere
from server.db.spatial import as_wkb, intersects
from server.db.tables import Area, Grid, GridVersion, Household, Incident, Task
from server.layers.bounds import Bounds, shape_of
from server.layers.interval import ALWAYS, Interval


class CountedRow(tuple[Any, ...]):
    """A row of a layer whose counts were put in after it was read."""

    __slots__ = ()

    @property
    def fid(self) -> int:
        """The number of the feature."""
        return int(self[0])

    @property
    def wkb(self) -> bytes:
        """Its geometry in WGS 84."""
        return bytes(self[1])


LayerRow = Row[*tuple[Any, ...]] | CountedRow
_FOREVER = 2**63 - 1
_OF_VERSION = {"id": "grid_id", "updated_ms": "recorded_ms"}
"""What fields of the layer of grids are called in the table of their versions."""
_TABLES: Mapping[str, Table] = {
    GRIDS.id: GridVersion.__table__,
    INCIDENTS.id: Incident.__table__,
    TASKS.id: Task.__table__,
    HOUSEHOLD_COUNTS.id: Grid.__table__,
}
_GONE = ("moved_out", "vacant")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which features of a layer are wanted. `bounds` are WGS 84 degrees.

    `file` says that they leave in a file, for which counts of people are held to more.
    """

    bounds: Bounds | None = None
    interval: Interval = ALWAYS
    after_fid: int | None = None
    file: bool = False


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
    rows = db.execute(statement.order_by(table.c.fid).limit(limit)).all()
    counted = [n for n, each in enumerate(layer.fields, 2) if each.kind is FieldKind.COUNT]
    return (
        _with_counts(rows, counted, household_counts(db, file=selection.file))
        if counted
        else rows
    )


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
    if layer is HOUSEHOLD_COUNTS:
        conditions.append(table.c.valid_to_ms.is_(None))
        if interval.hi_ms is not None:
            conditions.append(from_ms.is_(None) | (from_ms <= interval.hi_ms))
        return conditions
    if interval.lo_ms is not None:
        conditions.append(until_ms >= interval.lo_ms)
    if interval.hi_ms is not None:
        conditions.append(from_ms <= interval.hi_ms)
    return conditions


def household_counts(db: Connection, *, file: bool) -> dict[int, int]:
    """Households per area number, only those that may be published.

    It is decided for the whole tree, whoever asks for whatever part of it: what two people, or
    a screen and a file, are given then fits together and can be subtracted without harm.
    """
    everywhere(db)
    area, household = Area.__table__.c, Household.__table__.c
    tree = {row.id: row for row in db.execute(select(area.id, area.parent_id, area.lo))}
    parents = {
        row.lo: None if row.parent_id is None else tree[row.parent_id].lo
        for row in tree.values()
    }
    lives = household.status.is_(None) | household.status.not_in(_GONE)
    lived_in = (
        select(household.area_no, func.count())
        .where(~household.archived, lives)
        .group_by(household.area_no)
    )
    counts = {number: count for number, count in db.execute(lived_in) if number in parents}
    screen = publishable(parents, counts, k=SCREEN_K)
    if not file:
        return screen
    return publishable(parents, counts, k=EXPORT_K, among=frozenset(screen))


def _with_counts(
    rows: Sequence[LayerRow], places: Sequence[int], counts: Mapping[int, int]
) -> list[LayerRow]:
    """Put the count of an area where its number stands."""
    return [
        CountedRow(counts.get(value) if n in places else value for n, value in enumerate(row))
        for row in rows
    ]
