"""What has been over for long enough to leave the phones, and what changes of it then."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    literal_column,
    select,
    union_all,
    update,
)

from server.db import tables
from server.db.reach import everywhere
from server.db.tables.replication import FED_FOR_A_TIME
from server.replication.queries import RECORD
from sync.lifecycle import INCIDENT, TASK, TERMINAL

Place = tuple[str, str]
"""`(bucket, record)`: where a step ended."""
_R = RECORD.c
_VISIT = tables.Visit.__table__
_ANNOUNCEMENT = tables.Announcement.__table__
_INCIDENT, _TASK = tables.Incident.__table__, tables.Task.__table__
_OVER: Final[Mapping[str, tuple[Any, ColumnElement[Any], frozenset[str]]]] = {
    "visit": (_VISIT, _VISIT.c.visited_at_ms, frozenset()),
    "announcement": (_ANNOUNCEMENT, _ANNOUNCEMENT.c.valid_until_ms, frozenset()),
    INCIDENT: (_INCIDENT, _INCIDENT.c.state_at_ms, TERMINAL[INCIDENT]),
    TASK: (_TASK, _TASK.c.state_at_ms, TERMINAL[TASK]),
}
KINDS: Final = tuple(_OVER)
"""The kinds that leave by themselves."""


def over_before(
    db: Connection, before_ms: Mapping[str, int], *, after: Place, limit: int
) -> Sequence[Place]:
    """`(bucket, record)` of what feeds have that was over before its kind's moment, in order.

    At most `limit`, behind `after`.
    """
    everywhere(db)
    parts = [_over(kind, before_ms[kind], after) for kind in _OVER]
    statement = union_all(*parts).order_by("home", "record").limit(limit)
    return [(row.home, row.record) for row in db.execute(statement)]


def _over(kind: str, before_ms: int, after: Place) -> Select[Any]:
    (table, moment, states), (bucket, last) = _OVER[kind], after
    statement = (
        select(_R.bucket.label("home"), _R.id.label("record"))
        .join(table, table.c.id == _R.id)
        .where(
            FED_FOR_A_TIME,
            _R.kind == literal_column(f"'{kind}'"),
            moment <= before_ms,
            (_R.bucket > bucket) | ((_R.bucket == bucket) & (_R.id > last)),
        )
    )
    return statement.where(table.c.state.in_(sorted(states))) if states else statement


_SET_SEQ = update(RECORD).where(_R.id == bindparam("record")).values(seq=bindparam("now"))


def set_seqs(db: Connection, seqs: Mapping[str, int]) -> None:
    """Say where records of locked buckets stand in their feeds now; 0 is in none."""
    if seqs:
        db.execute(_SET_SEQ, [{"record": key, "now": seq} for key, seq in sorted(seqs.items())])
