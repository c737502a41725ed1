"""Keep a number, and remove one."""

from dataclasses import dataclass

from sqlalchemy import Connection

from server.areas.queries import scope_of
from server.db.store import Store
from server.households.reading import the_resident
from server.identifiers import queries
from server.identifiers.access import DAY_MS, Act, Desk, require_purpose, write_down
from server.identifiers.destroying import destroy_soon
from server.identifiers.rules import Kind, normalised
from server.identifiers.schemas import IdentifierBody, IdentifierPut
from server.identifiers.sealer import Sealer, sealer_for, until_held
from server.problems import InvalidBody, NotFound


def checked_number(kind: Kind, value: str) -> str:
    """Return the one spelling of a number, or raise `InvalidBody` without repeating it."""
    try:
        return normalised(kind, value)
    except ValueError as error:
        raise InvalidBody.at("/value", str(error)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    resident: str
    kind: Kind
    number: str
    purpose: str
    expires_ms: int


async def put(desk: Desk, resident_id: str, kind: Kind, body: IdentifierPut) -> IdentifierBody:
    """Keep a number in the place of what was kept under its kind.

    Raises:
        InvalidBody: if number, purpose or expiry cannot be.
        NotFound: if the resident is not in scope.
        SealingUnavailable: if it cannot be sealed; it is not kept then.
    """
    require_purpose(desk.allowed, body.purpose)
    _require_expiry(desk, body.expires_ms)
    number = checked_number(kind, body.value)
    wanted = _Wanted(
        resident=resident_id,
        kind=kind,
        number=number,
        purpose=body.purpose,
        expires_ms=body.expires_ms,
    )
    kept, replaced = await until_held(lambda: _put_once(desk, wanted))
    if replaced:
        await destroy_soon(desk.store, desk.sealing.vault, desk.sealing)
    return kept


async def remove(desk: Desk, resident_id: str, kind: Kind) -> None:
    """Destroy a number, also in backups.

    Raises:
        NotFound: if the resident is not in scope, or no such number is kept.
    """

    def work(db: Connection) -> None:
        _household(db, desk, resident_id)
        if not queries.remove(db, resident_id, kind, now_ms=desk.asking.now_ms):
            raise NotFound
        write_down(db, desk, Act(act="remove", kind=kind, resident=resident_id))

    await desk.store.write(work)
    await destroy_soon(desk.store, desk.sealing.vault, desk.sealing)


def _require_expiry(desk: Desk, expires_ms: int) -> None:
    now, days = desk.asking.now_ms, desk.allowed.days
    if not now < expires_ms <= now + days * DAY_MS:
        reason = f"must be in the future, at most {days} days ahead"
        raise InvalidBody.at("/expires_ms", reason)


def _household(db: Connection, desk: Desk, resident_id: str) -> str:
    scope = scope_of(db, desk.asking.principal, desk.asking.now_ms)
    return str(the_resident(db, scope, resident_id).household_id)


async def _put_once(desk: Desk, wanted: _Wanted) -> tuple[IdentifierBody, bool]:
    store: Store = desk.store
    sealer = await sealer_for(
        store,
        desk.sealing,
        lambda db: _household(db, desk, wanted.resident),
        now_ms=desk.asking.now_ms,
    )
    return await store.write(lambda db: _store(db, desk, sealer, wanted))


def _store(
    db: Connection, desk: Desk, sealer: Sealer, wanted: _Wanted
) -> tuple[IdentifierBody, bool]:
    """Seal and store; True if another number than this one was there."""
    now = desk.asking.now_ms
    _household(db, desk, wanted.resident)
    sealer.hold(db)
    write_down(
        db,
        desk,
        Act(act="set", kind=wanted.kind, resident=wanted.resident, purpose=wanted.purpose),
    )
    index = sealer.index(wanted.kind, wanted.number)
    before = queries.index_of(db, wanted.resident, wanted.kind)
    replaced = before is not None and before != index
    if replaced:
        # The old number is in backups, under the household's key: that key has to go.
        queries.remove(db, wanted.resident, wanted.kind, now_ms=now)
    row = {
        "resident_id": wanted.resident,
        "kind": wanted.kind,
        "sealed": sealer.seal(wanted.resident, wanted.kind, wanted.number),
        "blind_index": index,
        "index_key": sealer.keys.current.id,
        "data_key": sealer.key.id,
        "purpose": wanted.purpose,
        "expires_ms": wanted.expires_ms,
        "set_ms": now,
        "set_by": desk.asking.principal.account,
    }
    queries.keep(db, row)
    return body_of(row), replaced


def body_of(row: dict[str, object]) -> IdentifierBody:
    """Return that a number is kept, without it."""
    names = ("kind", "purpose", "expires_ms", "set_ms")
    return IdentifierBody.model_validate(
        {"resident": row["resident_id"]} | {name: row[name] for name in names}
    )
