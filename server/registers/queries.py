"""All SQL of registers."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from server.areas.scope import Scope
from server.areas.scoped import HOUSEHOLDS, RESIDENTS
from server.db.ending import end_rows
from server.db.tables import Dwelling, HouseholdRegister

DbRow = Row[*tuple[Any, ...]]
_register = HouseholdRegister.__table__.c
_dwelling = Dwelling.__table__.c


def add(db: Connection, values: dict[str, Any]) -> None:
    """Keep what a register is."""
    db.execute(insert(HouseholdRegister.__table__), [values])


def registers_of(
    db: Connection,
    account: str,
    *,
    now_ms: int,
    register: str | None = None,
    after_id: str | None = None,
    limit: int = 1,
) -> Sequence[DbRow]:
    """The registers of an account that have not expired, or one of them, by id."""
    statement = select(HouseholdRegister.__table__).where(
        _register.account_id == account, _register.expires_ms > now_ms
    )
    if register is not None:
        statement = statement.where(_register.id == register)
    if after_id is not None:
        statement = statement.where(_register.id > after_id)
    return db.execute(statement.order_by(_register.id).limit(limit)).all()


def drop(db: Connection, account: str, register: str) -> bool:
    """Destroy a register of an account; False if there is none."""
    gone = delete(HouseholdRegister.__table__).where(
        _register.account_id == account, _register.id == register
    )
    return bool(db.execute(gone).rowcount)


def drop_expired(db: Connection, *, now_ms: int, dry_run: bool) -> int:
    """Destroy the registers that expired and return how many there were."""
    expired = _register.expires_ms <= now_ms
    return end_rows(db, HouseholdRegister.__table__, expired, dry_run=dry_run)


def rows_in(db: Connection, scope: Scope, kind: str, *, limit: int) -> Sequence[DbRow]:
    """What registers are made from: households or residents in scope, by where they live."""
    homes = HOUSEHOLDS.within(db, scope)
    place = (_dwelling.code.label("dwelling"), _dwelling.address)
    lived_in = homes.outerjoin(Dwelling.__table__, _dwelling.id == homes.c.dwelling_id)
    if kind == "household":
        statement = select(*homes.c, *place).select_from(lived_in).where(~homes.c.archived)
        statement = statement.order_by(_dwelling.code, homes.c.door, homes.c.id)
        return db.execute(statement.limit(limit)).all()
    people = RESIDENTS.within(db, scope)
    statement = (
        select(*people.c, homes.c.door, *place)
        .select_from(lived_in.join(people, people.c.household_id == homes.c.id))
        .where(~people.c.archived, ~homes.c.archived)
        .order_by(_dwelling.code, homes.c.door, homes.c.id, people.c.id)
    )
    return db.execute(statement.limit(limit)).all()
