"""Damage that a hand or a bug may do to stored things, and pictures to compare stores by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import shapely
from sqlalchemy import Boolean, Connection, String, Table, select, update
from sqlalchemy.exc import IntegrityError

from server.clock import new_id
from server.db.reach import everywhere
from server.db.tables import Bucket, RecordRow
from server.db.types import Geometry4326, Id
from server.replication.projections import PROJECTIONS

RECORD, BUCKET = RecordRow.__table__, Bucket.__table__
_TIMES = frozenset({"created_ms", "updated_ms"})
_NOT_DERIVED = _TIMES | {"id", "fid"}
Row = Mapping[str, Any]


def _other_shape(old: Any) -> Any:
    moved = shapely.box(1, 1, 2, 2)
    return shapely.MultiPolygon([moved]) if old.geom_type == "MultiPolygon" else moved.centroid


def _other(column: Any, old: Any) -> Any:
    """Another value that the column can hold."""
    if isinstance(column.type, Geometry4326):
        return shapely.Point(1, 1) if old is None else _other_shape(old)
    if isinstance(column.type, Id):
        return new_id()
    if isinstance(column.type, Boolean):
        return not old
    return f"{old}x" if isinstance(column.type, String) else (old or 0) + 1


RECORD_DAMAGE: Mapping[str, Any] = {
    "body": lambda row: {"body": bytes(row.body)[:-1]},
    "no body": lambda _: {"body": b""},
    "hash": lambda row: {"hash": row.hash[::-1]},
    "no hash": lambda _: {"hash": "zz"},
    "seq": lambda row: {"seq": row.seq + 1},
    "no seq": lambda _: {"seq": 0},
    "first seq": lambda _: {"seq": 1},
    "far seq": lambda row: {"seq": row.seq + 10_000},
    "area_no": lambda row: {"area_no": row.area_no + 1},
    "truth": lambda _: {"truth": "{"},
    "old truth": lambda _: {"truth": '{"f":{},"d":[]}'},
    "rev": lambda row: {"rev": row.rev + 1},
    "kind": lambda row: {"kind": "note" if row.kind != "note" else "task"},
    "unknown kind": lambda _: {"kind": "thing"},
    "bucket": lambda row: {"bucket": "nowhere" if row.bucket == "config" else "config"},
}
BUCKET_DAMAGE: Mapping[str, Any] = {
    "digest": lambda row: {"digest": row.digest[::-1]},
    "count": lambda row: {"count": row.count + 1},
    "seq": lambda row: {"seq": max(row.tombstone_floor, row.seq - 1)},
    "no seq": lambda row: {"seq": row.tombstone_floor},
    "first_epoch": lambda row: {"first_epoch": row.epoch + 3},
}
DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One thing to damage: of which sort, which row in the order of ids, and how."""

    sort: str
    row: int
    how: int


def inflict(db: Connection, damages: Sequence[Damage]) -> set[str]:
    """Damage the store; return the ids of records whose typed row or itself was deleted.

    A record is damaged once at most: of two witnesses that lie nobody can tell.
    """
    everywhere(db)
    deleted: set[str] = set()
    hit: set[str] = set()
    for each in damages:
        if each.sort == "record":
            row = _pick(db, RECORD, each.row)
            if row.id not in hit:
                hit.add(row.id)
                deleted |= _damaged(db, RECORD, row, _way(RECORD_DAMAGE, each.how))
        elif each.sort == "bucket":
            row = _pick(db, BUCKET, each.row)
            _damaged(db, BUCKET, row, _way(BUCKET_DAMAGE, each.how))
        else:
            table = PROJECTIONS[each.sort][0]
            row = _pick(db, table, each.row)
            if row is not None:
                deleted |= _damaged(db, table, row, _cell(table, each.how))
    return deleted


def _pick(db: Connection, table: Table, at: int) -> Any:
    rows = db.execute(select(*table.c).order_by(table.c.id)).all()
    return rows[at % len(rows)] if rows else None


def _way(ways: Mapping[str, Any], how: int) -> Any:
    return [*ways.values(), None][how % (len(ways) + 1)]


def _cell(table: Table, how: int) -> Any:
    columns = [each for each in table.c if each.name not in _NOT_DERIVED]
    if how % (len(columns) + 2) == len(columns):
        return None
    if how % (len(columns) + 2) > len(columns):
        return lambda _: {"id": new_id()}
    column = columns[how % (len(columns) + 2)]
    return lambda row: {column.name: _other(column, getattr(row, column.name))}


def _damaged(db: Connection, table: Table, row: Any, way: Any) -> set[str]:
    if way is None:
        db.execute(table.delete().where(table.c.id == row.id))
        return {row.id}
    changed = way(row)
    try:
        with db.begin_nested():
            db.execute(update(table).where(table.c.id == row.id).values(**changed))
    except IntegrityError:
        return set()
    return {row.id} if "id" in changed else set()


def picture(db: Connection) -> dict[str, dict[str, Row]]:
    """Everything that is derived, without what a repair may number anew, by table and id.

    The truth itself is left to `refold`, which knows when two texts say the same.
    """
    everywhere(db)
    found = {
        "record": _rows(db, RECORD, without={"seq", "truth"}),
        "bucket": _rows(db, BUCKET, without={"seq", "epoch", "first_epoch"}),
    }
    for kind, (table, _) in PROJECTIONS.items():
        found[kind] = _rows(db, table, without={"fid"})
    return found


def _rows(db: Connection, table: Table, *, without: set[str]) -> dict[str, Row]:
    columns = [each for each in table.c if each.name not in without]
    return {row["id"]: dict(row) for row in db.execute(select(*columns)).mappings()}


def without_times(
    pictured: dict[str, dict[str, Row]], ids: set[str]
) -> dict[str, dict[str, Row]]:
    """A picture in which the times of some rows do not count."""
    return {
        name: {
            key: {each: row[each] for each in row if key not in ids or each not in _TIMES}
            for key, row in rows.items()
        }
        for name, rows in pictured.items()
    }
