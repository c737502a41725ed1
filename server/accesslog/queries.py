"""All SQL of the access log."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from server.accesslog.chain import Mark, Noted, Sealed
from server.areas.scope import within
from server.db.bulk import among
from server.db.tables import AccessEntry, AccessHead, AccessRecord, Account, Area
from server.identity.principal import EVERYWHERE, AreaSpan

CHUNK: Final = 1_000
LOOKS: Final = ("reveal", "search")
NUMBER: Final = "identifier"
"""The kind of an entry about identity numbers."""
_HEAD: Final = "reads"
_entry = AccessEntry.__table__.c
_head = AccessHead.__table__.c
_record = AccessRecord.__table__.c
EntryRow = Row[*tuple[Any, ...]]


def note(db: Connection, entries: Sequence[Noted]) -> None:
    """Write entries, and the way to them from each record."""
    db.execute(
        insert(AccessEntry.__table__),
        [
            {
                "id": each.id,
                "at_ms": each.at_ms,
                "account_id": each.account,
                "act": each.act,
                "kind": each.kind,
                "records": json.dumps(each.records),
                "purpose": each.purpose,
                "fields": json.dumps(each.fields) if each.fields else None,
                "reason": each.reason,
                "grant_id": each.grant,
            }
            for each in entries
        ],
    )
    ways = [
        {"record_id": record, "entry_id": each.id}
        for each in entries
        for record in dict.fromkeys(each.records)
    ]
    if ways:
        db.execute(insert(AccessRecord.__table__), ways)


def _noted(row: EntryRow) -> Noted:
    return Noted(
        id=row.id,
        at_ms=row.at_ms,
        account=row.account_id,
        act=row.act,
        kind=row.kind,
        records=tuple(json.loads(row.records)),
        purpose=row.purpose,
        fields=tuple(json.loads(row.fields)) if row.fields else (),
        reason=row.reason,
        grant=row.grant_id,
    )


def looks_since(db: Connection, account: str, since_ms: int, *, at_numbers: bool) -> int:
    """How often an account looked, since an instant: at identity numbers, or at the rest."""
    of_kind = _entry.kind == NUMBER if at_numbers else _entry.kind != NUMBER
    statement = select(func.count()).where(
        _entry.account_id == account, _entry.at_ms > since_ms, _entry.act.in_(LOOKS), of_kind
    )
    return int(db.execute(statement).scalar_one())


def locked_head(db: Connection) -> Mark:
    """Return the end of the chain and keep every other sealer out until the commit."""
    statement = select(_head.seq, _head.hash).where(_head.name == _HEAD).with_for_update()
    row = db.execute(statement).one()
    return Mark(row.seq, row.hash)


def unsealed(db: Connection) -> list[Noted]:
    """Return at most `CHUNK` entries that have no place yet, the oldest first."""
    rows = db.execute(
        select(AccessEntry.__table__)
        .where(_entry.seq.is_(None))
        .order_by(_entry.id)
        .limit(CHUNK)
    )
    return [_noted(row) for row in rows]


def count_unsealed(db: Connection) -> int:
    """Return how many entries have no place yet."""
    statement = select(func.count()).select_from(AccessEntry.__table__)
    return int(db.execute(statement.where(_entry.seq.is_(None))).scalar_one())


def seal(db: Connection, entries: Sequence[Sealed]) -> None:
    """Write the places of entries and move the head to the last of them."""
    db.execute(
        update(AccessEntry.__table__)
        .where(_entry.id == bindparam("which"))
        .values(seq=bindparam("place"), hash=bindparam("digest")),
        [{"which": each.noted.id, "place": each.seq, "digest": each.hash} for each in entries],
    )
    last = entries[-1]
    db.execute(
        update(AccessHead.__table__)
        .where(_head.name == _HEAD)
        .values(seq=last.seq, hash=last.hash)
    )


def ends(db: Connection) -> tuple[Mark, Mark]:
    """Return the base and the head of the chain."""
    row = db.execute(select(AccessHead.__table__).where(_head.name == _HEAD)).one()
    return Mark(row.base_seq, row.base_hash), Mark(row.seq, row.hash)


def sealed_entries(db: Connection) -> Iterator[Sealed]:
    """Yield every sealed entry by its place, a chunk at a time."""
    after = -1
    while True:
        rows = db.execute(
            select(AccessEntry.__table__)
            .where(_entry.seq > after)
            .order_by(_entry.seq)
            .limit(CHUNK)
        ).all()
        for row in rows:
            yield Sealed(noted=_noted(row), seq=row.seq, hash=row.hash)
        if len(rows) < CHUNK:
            return
        after = rows[-1].seq


def found_by(db: Connection, entry_ids: Sequence[str]) -> dict[str, set[str]]:
    """Entry id to the records from which there is a way to it."""
    ways: dict[str, set[str]] = {}
    rows = db.execute(
        select(_record.entry_id, _record.record_id).where(
            among(db, _record.entry_id, list(entry_ids))
        )
    )
    for row in rows:
        ways.setdefault(row.entry_id, set()).add(row.record_id)
    return ways


def count_stray_ways(db: Connection) -> int:
    """Return how many ways lead to no entry."""
    known = select(_entry.id).where(_entry.id == _record.entry_id).exists()
    statement = select(func.count()).select_from(AccessRecord.__table__).where(~known)
    return int(db.execute(statement).scalar_one())


def entries_about(
    db: Connection,
    readers: AreaSpan,
    *,
    record: str | None,
    equal: Mapping[str, str],
    before_id: str | None,
    limit: int,
) -> Sequence[EntryRow]:
    """Return entries with the login of their reader, the newest first, at most `limit`.

    Only of readers whose account belongs to the area `readers`. `equal` are values of columns.
    """
    account_table = Account.__table__.c
    statement = select(AccessEntry.__table__, account_table.login).join(
        Account.__table__, account_table.id == _entry.account_id, isouter=True
    )
    if readers != EVERYWHERE:
        statement = statement.join(
            Area.__table__, Area.__table__.c.id == account_table.area_id
        ).where(within(Area.__table__.c.lo, (readers,)))
    if record is not None:
        statement = statement.join(AccessRecord.__table__, _record.entry_id == _entry.id).where(
            _record.record_id == record
        )
    for name, value in equal.items():
        statement = statement.where(_entry[name] == value)
    if before_id is not None:
        statement = statement.where(_entry.id < before_id)
    return db.execute(statement.order_by(_entry.id.desc()).limit(limit)).all()


def forget_before(db: Connection, *, before_ms: int, dry_run: bool) -> int:
    """Remove the beginning of the chain as far as it is older; return how many entries.

    Nothing is removed from the middle: the chain stays whole from its new base on.
    """
    locked_head(db)
    base, head = ends(db)
    kept = db.execute(
        select(func.min(_entry.seq)).where(_entry.seq.is_not(None), _entry.at_ms >= before_ms)
    ).scalar()
    last = head.seq if kept is None else kept - 1
    if last <= base.seq:
        return 0
    gone = _entry.seq.between(base.seq + 1, last)
    counted = db.execute(select(func.count()).select_from(AccessEntry.__table__).where(gone))
    count = int(counted.scalar_one())
    if dry_run or not count:
        return count
    digest = db.execute(select(_entry.hash).where(_entry.seq == last)).scalar()
    old = select(_entry.id).where(gone)
    db.execute(delete(AccessRecord.__table__).where(_record.entry_id.in_(old)))
    db.execute(delete(AccessEntry.__table__).where(gone))
    db.execute(
        update(AccessHead.__table__)
        .where(_head.name == _HEAD)
        .values(base_seq=last, base_hash=digest or "")
    )
    return count
