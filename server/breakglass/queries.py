"""All SQL about broken glass."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, or_, select, update

from server.areas.scope import within
from server.db.bulk import among
from server.db.ending import end_rows
from server.db.tables import Account, Area, BreakGlass, RecordRow
from server.identity.principal import EVERYWHERE, AreaSpan
from sync.fields import is_id

BROKEN_MAX = 20
GlassRow = Row[*tuple[Any, ...]]
_glass = BreakGlass.__table__.c
_account = Account.__table__.c
_area = Area.__table__.c
_record = RecordRow.__table__.c
_REVIEWER = Account.__table__.alias("reviewer")


def in_force(
    db: Connection, account: str, now_ms: int, *, about: Collection[str]
) -> Sequence[GlassRow]:
    """`(id, reason, area_id, lo, hi)` of what an account broke and is still open at `now_ms`.

    For a record, only if it is among `about`; what was reviewed is closed.
    """
    joined = BreakGlass.__table__.outerjoin(
        Area.__table__, _area.id == _glass.area_id
    ).outerjoin(RecordRow.__table__, _record.id == _glass.record_id)
    named: ColumnElement[bool] = _glass.record_id.is_(None)
    if about:
        named = or_(named, among(db, _glass.record_id, sorted(about)))
    statement = (
        select(
            _glass.id,
            _glass.reason,
            _glass.area_id,
            func.coalesce(_area.lo, _record.area_no).label("lo"),
            func.coalesce(_area.hi, _record.area_no).label("hi"),
        )
        .select_from(joined)
        .where(
            _glass.account_id == account,
            _glass.at_ms <= now_ms,
            _glass.until_ms > now_ms,
            _glass.reviewed_ms.is_(None),
            named,
            func.coalesce(_area.lo, _record.area_no).is_not(None),
        )
    )
    return db.execute(statement.order_by(_glass.id.desc()).limit(BROKEN_MAX)).all()


def count_open(db: Connection, account: str, now_ms: int) -> int:
    """How many an account has open."""
    statement = select(func.count()).where(
        _glass.account_id == account,
        _glass.until_ms > now_ms,
        _glass.reviewed_ms.is_(None),
    )
    return int(db.execute(statement).scalar_one())


def area_named(db: Connection, name: str) -> GlassRow | None:
    """`(id, lo, hi)` of the area with this code or id, wherever it is."""
    named = _area.id == name if is_id(name) else _area.code == name
    return db.execute(select(_area.id, _area.lo, _area.hi).where(named)).one_or_none()


def record_named(db: Connection, record_id: str) -> GlassRow | None:
    """`(id, kind, area_no)` of one record, wherever it is."""
    statement = select(_record.id, _record.kind, _record.area_no)
    return db.execute(statement.where(_record.id == record_id)).one_or_none()


def add(db: Connection, row: Mapping[str, Any]) -> None:
    """Store a broken glass."""
    db.execute(insert(BreakGlass.__table__).values(dict(row)))


def glasses(
    db: Connection,
    readers: AreaSpan,
    *,
    equal: Mapping[str, str],
    reviewed: bool | None = None,
    before_id: str | None = None,
    limit: int,
) -> Sequence[GlassRow]:
    """What was broken by accounts of the area `readers`, the newest first, with logins."""
    statement = (
        select(
            *_glass,
            _account.login,
            _REVIEWER.c.login.label("reviewer"),
        )
        .join(Account.__table__, _account.id == _glass.account_id)
        .outerjoin(_REVIEWER, _REVIEWER.c.id == _glass.reviewed_by)
    )
    if readers != EVERYWHERE:
        statement = statement.join(Area.__table__, _area.id == _account.area_id).where(
            within(_area.lo, (readers,))
        )
    for name, value in equal.items():
        statement = statement.where(_glass[name] == value)
    if reviewed is not None:
        done = _glass.reviewed_ms.is_not(None)
        statement = statement.where(done if reviewed else ~done)
    if before_id is not None:
        statement = statement.where(_glass.id < before_id)
    return db.execute(statement.order_by(_glass.id.desc()).limit(limit)).all()


def review(db: Connection, glass_id: str, row: Mapping[str, Any]) -> bool:
    """Store what was thought of it; False if somebody was faster."""
    changed = update(BreakGlass.__table__).where(
        _glass.id == glass_id, _glass.reviewed_ms.is_(None)
    )
    return db.execute(changed.values(dict(row))).rowcount == 1


def unreviewed(db: Connection, now_ms: int, *, limit: int) -> Sequence[str]:
    """Ids of those that are over and that nobody has reviewed, the oldest first."""
    statement = select(_glass.id).where(_glass.reviewed_ms.is_(None), _glass.until_ms <= now_ms)
    return list(db.execute(statement.order_by(_glass.until_ms).limit(limit)).scalars())


def forget_reviewed(db: Connection, *, before_ms: int, dry_run: bool) -> int:
    """Remove those that were reviewed and are older; return how many."""
    old = _glass.reviewed_ms.is_not(None) & (_glass.at_ms < before_ms)
    return end_rows(db, BreakGlass.__table__, old, dry_run=dry_run)
