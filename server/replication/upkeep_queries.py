"""What upkeep asks of and changes in the feeds: forgotten exits and raised floors."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, func, select, update

from server.db.bulk import among
from server.replication.queries import BUCKET, BUCKET_EXIT, DbRow

_EXIT = BUCKET_EXIT.c


def buckets_with_old_exits(
    db: Connection, before_ms: int, *, after: str, limit: int
) -> list[str]:
    """Buckets whose id is greater than `after` and that something left before `before_ms`."""
    statement = (
        select(_EXIT.bucket)
        .where(_EXIT.left_ms < before_ms, _EXIT.bucket > after)
        .distinct()
        .order_by(_EXIT.bucket)
        .limit(limit)
    )
    return list(db.execute(statement).scalars())


def old_exits(db: Connection, buckets: Sequence[str], before_ms: int) -> Sequence[DbRow]:
    """`(bucket, seq, rows)`: the last seq and the number of old exits of each bucket, by id."""
    statement = (
        select(_EXIT.bucket, func.max(_EXIT.seq).label("seq"), func.count().label("rows"))
        .where(among(db, _EXIT.bucket, list(buckets)), _EXIT.left_ms < before_ms)
        .group_by(_EXIT.bucket)
        .order_by(_EXIT.bucket)
    )
    return db.execute(statement).all()


def forget_exits(db: Connection, buckets: Sequence[str], before_ms: int) -> None:
    """Drop what left these locked buckets before `before_ms`."""
    db.execute(
        BUCKET_EXIT.delete().where(
            among(db, _EXIT.bucket, list(buckets)), _EXIT.left_ms < before_ms
        )
    )


_RAISE = (
    update(BUCKET)
    .where(BUCKET.c.id == bindparam("bucket"), BUCKET.c.tombstone_floor < bindparam("floor"))
    .values(tombstone_floor=bindparam("floor"), epoch=BUCKET.c.epoch + 1)
)


def raise_floors(db: Connection, floors: Mapping[str, int]) -> None:
    """Raise the floors of locked buckets, each with a new epoch; none is ever lowered."""
    rows = [{"bucket": bucket, "floor": floor} for bucket, floor in sorted(floors.items())]
    if rows:
        db.execute(_RAISE, rows)
