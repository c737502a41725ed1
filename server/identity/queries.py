"""All SQL about accounts, tokens, devices and assignments."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    RowMapping,
    Select,
    bindparam,
    distinct,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlmodel import col

from geo.areas import LEVEL_GRID
from server.clock import new_id
from server.db.bulk import among_listed, insert_new, listed
from server.db.direct import Direct, as_text
from server.db.periods import holds_at
from server.db.tables import Account, Area, Assignment, Device, Token
from server.identity.principal import EVERYWHERE, AreaSpan, DeviceStatus, Principal, Role
from server.identity.tokens import new_token, token_hash
from server.problems import AlreadyExists, InvalidParameter, NotFound
from sync.exchange import GRIDS_MAX

TOKENS_MAX = 1_000


_PRINCIPAL = Direct(
    select(
        as_text(col(Account.id)),
        col(Account.login),
        col(Account.role),
        as_text(col(Area.id)),
        col(Area.lo),
        col(Area.hi),
        as_text(col(Token.device_id)),
        col(Device.status),
    )
    .join(Account, col(Account.id) == col(Token.account_id))
    .outerjoin(Area, col(Area.id) == col(Account.area_id))
    .outerjoin(Device, col(Device.id) == col(Token.device_id))
    .where(
        col(Token.hash) == bindparam("hash"),
        col(Token.revoked_ms).is_(None),
        or_(col(Token.expires_ms).is_(None), col(Token.expires_ms) > bindparam("now")),
        col(Account.active).is_(True),
    )
)
"""The token by its key, then account, area and device by theirs; built once, asked always."""


def principal_of(db: Connection, *, hashed: str, now_ms: int) -> Principal | None:
    """Return who holds the token with this hash, or None if it does not count at `now_ms`."""
    rows = _PRINCIPAL.rows(db, {"hash": hashed, "now": now_ms})
    if not rows:
        return None
    account, login, role, area, lo, hi, device, status = rows[0]
    return Principal(
        account=account,
        login=login,
        role=Role(role),
        area=EVERYWHERE if area is None else AreaSpan(id=area, lo=lo, hi=hi),
        device=device,
        device_status=None if status is None else DeviceStatus(status),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentSpan:
    """For how long an account answered for an area; `hi_ms` None means until further notice."""

    area: AreaSpan
    lo_ms: int
    hi_ms: int | None


@cache
def _assignments(dialect: str) -> Select[*tuple[Any, ...]]:
    return (
        select(
            col(Assignment.account_id),
            col(Area.id),
            col(Area.lo),
            col(Area.hi),
            col(Assignment.valid_from_ms),
            col(Assignment.valid_to_ms),
        )
        .join(Area, col(Area.id) == col(Assignment.area_id))
        .where(among_listed(dialect, Assignment.__table__.c.account_id, "accounts"))
        .order_by(col(Assignment.valid_from_ms), col(Area.lo))
    )


def assignments_of_all(
    db: Connection, accounts: Collection[str]
) -> dict[str, tuple[AssignmentSpan, ...]]:
    """Return for each of `accounts` every assignment it ever had, oldest first."""
    found: dict[str, list[AssignmentSpan]] = {each: [] for each in accounts}
    values = {"accounts": listed(db, list(found))}
    for row in db.execute(_assignments(db.dialect.name), values):
        span = AssignmentSpan(
            area=AreaSpan(id=row.id, lo=row.lo, hi=row.hi),
            lo_ms=row.valid_from_ms,
            hi_ms=row.valid_to_ms,
        )
        found[row.account_id].append(span)
    return {account: tuple(spans) for account, spans in found.items()}


def assignments_of(db: Connection, account: str) -> tuple[AssignmentSpan, ...]:
    """Return every assignment `account` ever had, oldest first."""
    return assignments_of_all(db, [account])[account]


def area_with_code(db: Connection, code: str) -> AreaSpan:
    """Return the area with this code.

    Raises:
        NotFound: if there is none.
    """
    statement = select(col(Area.id), col(Area.lo), col(Area.hi)).where(col(Area.code) == code)
    if (row := db.execute(statement).one_or_none()) is None:
        raise NotFound("No area has this code.")
    return AreaSpan(id=row.id, lo=row.lo, hi=row.hi)


def account_with_login(db: Connection, login: str) -> RowMapping | None:
    """Return id, role and area_id of the account with this login, or None."""
    statement = select(
        col(Account.id), col(Account.role), col(Account.area_id), col(Account.active)
    ).where(col(Account.login) == login)
    return db.execute(statement).mappings().one_or_none()


def create_account(
    db: Connection, *, login: str, role: Role, area_code: str | None, now_ms: int
) -> str:
    """Create an account and return its id; `area_code` None means the whole tree.

    A worker is assigned to the area from `now_ms` on.

    Raises:
        NotFound: if no area has this code.
        AlreadyExists: if the login is taken.
        InvalidParameter: if the area holds more grids than a phone can.
    """
    area = None if area_code is None else area_with_code(db, area_code).id
    if account_with_login(db, login) is not None:
        raise AlreadyExists("An account with this login exists.")
    account = new_id()
    db.execute(
        insert(Account).values(
            id=account,
            login=login,
            role=role.value,
            area_id=area,
            active=True,
            created_ms=now_ms,
        )
    )
    if role is Role.WORKER and area is not None:
        assign(db, account=account, area=area, now_ms=now_ms)
    return account


def account_for_token(
    db: Connection, *, login: str, role: Role, area_code: str | None, now_ms: int
) -> str:
    """Return the id of the account with this login, made if it is new.

    Raises:
        AlreadyExists: if it exists with another role or area, or was closed.
        NotFound: if no area has this code.
    """
    known = account_with_login(db, login)
    if known is None:
        return create_account(db, login=login, role=role, area_code=area_code, now_ms=now_ms)
    area = None if area_code is None else area_with_code(db, area_code).id
    if not known["active"]:
        raise AlreadyExists("The account with this login was closed.")
    if known["role"] != role or known["area_id"] != area:
        raise AlreadyExists("The account with this login has another role or area.")
    return str(known["id"])


_GRID = Area.__table__.alias("grid")
_COUNT = func.count(distinct(_GRID.c.id))
_OVERFULL: Select[*tuple[Any, ...]] = (
    select(col(Assignment.account_id).label("account"), _COUNT.label("grids"))
    .join(Area, col(Area.id) == col(Assignment.area_id))
    .join(_GRID, _GRID.c.lo.between(col(Area.lo), col(Area.hi)))
    .where(
        _GRID.c.level == LEVEL_GRID,
        holds_at(Assignment.__table__.c, bindparam("now")),
    )
    .group_by(col(Assignment.account_id))
    .having(_COUNT > GRIDS_MAX)
    .order_by(col(Assignment.account_id))
)
"""Accounts whose assignments cover more grids than a phone can hold."""


def overfull(db: Connection, now_ms: int) -> Sequence[RowMapping]:
    """Return `account` and `grids` of every account that holds more than a phone can."""
    return db.execute(_OVERFULL, {"now": now_ms}).mappings().all()


def refuse_overfull(db: Connection, account: str, now_ms: int) -> None:
    """Refuse what was just assigned to `account`, if a phone cannot hold it.

    Raises:
        InvalidParameter: if the assignments valid at `now_ms` cover too many grids.
    """
    only = _OVERFULL.where(col(Assignment.account_id) == account)
    found = db.execute(only, {"now": now_ms}).mappings()
    held = found.one_or_none()
    if held is not None:
        raise InvalidParameter(
            f"The worker would hold {held['grids']} grids and a phone holds {GRIDS_MAX}:"
            " choose a smaller area.",
            parameter="area",
        )


def assign(db: Connection, *, account: str, area: str, now_ms: int) -> str:
    """Assign `account` to `area` from `now_ms` on and return the assignment's id.

    Raises:
        InvalidParameter: if the account would hold more grids than a phone can.
    """
    assignment = new_id()
    db.execute(
        insert(Assignment).values(
            id=assignment,
            account_id=account,
            area_id=area,
            valid_from_ms=now_ms,
            valid_to_ms=None,
        )
    )
    refuse_overfull(db, account, now_ms)
    return assignment


def create_token(
    db: Connection,
    *,
    account: str,
    now_ms: int,
    device: str | None = None,
    expires_ms: int | None = None,
) -> str:
    """Create a token of `account`, or of one of its devices, and return its clear text once."""
    token = new_token()
    db.execute(
        insert(Token).values(
            hash=token_hash(token),
            account_id=account,
            device_id=device,
            created_ms=now_ms,
            expires_ms=expires_ms,
            revoked_ms=None,
        )
    )
    return token


def list_tokens(
    db: Connection, *, login: str | None = None, limit: int = TOKENS_MAX
) -> Sequence[RowMapping]:
    """Return tokens with their account, newest first: hash, login, role, device, times."""
    statement: Select[*tuple[Any, ...]] = (
        select(
            col(Token.hash),
            col(Account.login),
            col(Account.role),
            col(Token.device_id),
            col(Token.created_ms),
            col(Token.expires_ms),
            col(Token.revoked_ms),
        )
        .join(Account, col(Account.id) == col(Token.account_id))
        .order_by(col(Token.created_ms).desc(), col(Token.hash))
        .limit(limit)
    )
    if login is not None:
        statement = statement.where(col(Account.login) == login)
    return db.execute(statement).mappings().all()


def revoke_tokens(db: Connection, *, hash_prefix: str, now_ms: int) -> int:
    """Revoke the tokens whose hash begins with `hash_prefix`; return how many were live."""
    done = db.execute(
        update(Token)
        .where(
            col(Token.hash).startswith(hash_prefix, autoescape=True),
            col(Token.revoked_ms).is_(None),
        )
        .values(revoked_ms=now_ms)
    )
    return done.rowcount


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDevice:
    """What an enrolment says about a device."""

    id: str
    account: str
    name: str
    app_version: str | None


_DEVICES: Select[*tuple[Any, ...]] = (
    select(
        col(Device.account_id),
        col(Device.status),
        col(Device.console),
        col(Device.settled_through),
        func.coalesce(col(Area.lo), 0).label("area_no"),
    )
    .join(Account, col(Account.id) == col(Device.account_id))
    .outerjoin(Area, col(Area.id) == col(Account.area_id))
)


def device_with_id(db: Connection, device: str) -> RowMapping | None:
    """Return a device's owner with the area number, its status and settled work; or None."""
    return db.execute(_DEVICES.where(col(Device.id) == device)).mappings().one_or_none()


def enrol_device(db: Connection, new: NewDevice, *, now_ms: int) -> str:
    """Store a device and return its token; earlier tokens of the device stop working.

    Enrolling the same id again (the answer was lost) keeps the device and its settled work.
    """
    insert_device(db, new, now_ms=now_ms)
    lock = select(col(Device.id)).where(col(Device.id) == new.id).with_for_update()
    db.execute(lock).one()
    known = device_with_id(db, new.id)
    if known is None or known["account_id"] != new.account or known["console"]:
        raise AlreadyExists("A device with this id exists.")
    if known["status"] == DeviceStatus.REVOKED:
        raise AlreadyExists("A device with this id exists and was revoked; use a new id.")
    db.execute(
        update(Token)
        .where(col(Token.device_id) == new.id, col(Token.revoked_ms).is_(None))
        .values(revoked_ms=now_ms)
    )
    return create_token(db, account=new.account, device=new.id, now_ms=now_ms)


def insert_device(db: Connection, new: NewDevice, *, now_ms: int) -> None:
    """Insert a phone that has sent nothing yet, unless a device with its id exists."""
    row = {
        "id": new.id,
        "account_id": new.account,
        "console": False,
        "name": new.name,
        "status": DeviceStatus.ACTIVE.value,
        "settled_through": 0,
        "last_n": 0,
        "last_at_ms": 0,
        "app_version": new.app_version,
        "created_ms": now_ms,
    }
    insert_new(db, Device.__table__, [row], ("id",))


def revoke(db: Connection, *, device: str, lost_at_ms: int | None) -> None:
    """Revoke a device; a time of loss replaces an earlier one, none leaves it."""
    lost = col(Device.lost_at_ms) if lost_at_ms is None else lost_at_ms
    row = update(Device).where(col(Device.id) == device)
    db.execute(row.values(status=DeviceStatus.REVOKED.value, lost_at_ms=lost))
