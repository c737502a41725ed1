"""Say what is kept, show one number, find who has one."""

import asyncio
from collections.abc import Sequence

from sqlalchemy import Connection

from server.areas.queries import scope_of
from server.households.reading import is_usable, the_resident
from server.identifiers import queries
from server.identifiers.access import Act, Desk, require_purpose, write_down
from server.identifiers.keeping import body_of, checked_number
from server.identifiers.rules import Kind
from server.identifiers.schemas import (
    FoundResident,
    IdentifierBody,
    IdentifierSearch,
    RevealedBody,
)
from server.identifiers.sealer import field_of, place_of
from server.problems import Forbidden, NotFound
from server.sealed.envelope import Place, key_id_of, unseal
from server.sealed.problems import SealingUnavailable
from server.sealed.sealing import Keys
from server.sealed.suites import Tampered

READS = 2


def _kept(db: Connection, desk: Desk, resident_id: str) -> Sequence[queries.DbRow]:
    now = desk.asking.now_ms
    scope = scope_of(db, desk.asking.principal, now)
    the_resident(db, scope, resident_id)
    return queries.kept_in(db, scope, resident_id, now_ms=now)


def _one(db: Connection, desk: Desk, resident_id: str, kind: Kind) -> queries.DbRow:
    for row in _kept(db, desk, resident_id):
        if row.kind == kind:
            return row
    raise NotFound


async def listed(desk: Desk, resident_id: str) -> list[IdentifierBody]:
    """Return what is kept of a resident, without any number.

    Raises:
        NotFound: if the resident is not in scope.
    """
    rows = await desk.store.read(lambda db: _kept(db, desk, resident_id))
    return [body_of(dict(row._mapping)) for row in rows]  # noqa: SLF001 - its public name


async def reveal(desk: Desk, resident_id: str, kind: Kind, purpose: str) -> RevealedBody:
    """Show one number. That it is shown is stored before it is opened.

    Raises:
        NotFound: if the resident is not in scope, or no such number is kept.
        Forbidden: if it is kept for another purpose.
        TooManyRequests: if the account looked at too many today.
        SealingUnavailable: if it cannot be opened.
    """
    desk.take()
    keys = await desk.keys()
    place = place_of(resident_id, kind)

    def work(db: Connection) -> bytes:
        row = _one(db, desk, resident_id, kind)
        if row.purpose != purpose:
            raise Forbidden("The number is kept for another purpose.")
        act = Act(act="reveal", kind=kind, resident=resident_id, purpose=purpose)
        write_down(db, desk, act)
        return bytes(row.sealed)

    sealed = await desk.store.write(work)
    for _ in range(READS):
        try:
            number = await asyncio.to_thread(_opened, desk, keys, place, sealed)
        except SealingUnavailable:
            # It may have been sealed anew meanwhile, and the old key be destroyed.
            row = await desk.store.read(lambda db: _one(db, desk, resident_id, kind))
            if bytes(row.sealed) == sealed:
                raise
            sealed = bytes(row.sealed)
        else:
            return RevealedBody(resident=resident_id, kind=kind, value=number)
    raise SealingUnavailable("The number is being sealed anew.")


def _opened(desk: Desk, keys: Keys, place: Place, sealed: bytes) -> str:
    try:
        key = desk.sealing.open(keys, key_id_of(sealed))
        return unseal(key, place, sealed)
    except Tampered as error:
        raise SealingUnavailable("The number does not open: it was changed.") from error


async def search(desk: Desk, asked: IdentifierSearch) -> list[FoundResident]:
    """Find the residents in scope who have exactly this number.

    Raises:
        InvalidBody: if it is no number of its kind, or the purpose is none of ours.
        TooManyRequests: if the account looked too often today.
    """
    require_purpose(desk.allowed, asked.purpose)
    number = checked_number(asked.kind, asked.value)
    desk.take()
    keys = await desk.keys()
    field = field_of(asked.kind)
    indexes = [key.index_of(field, number) for key in keys.known]
    now = desk.asking.now_ms

    def work(db: Connection) -> Sequence[queries.DbRow]:
        scope = scope_of(db, desk.asking.principal, now)
        write_down(db, desk, Act(act="search", kind=asked.kind, purpose=asked.purpose))
        found = queries.found_in(db, scope, asked.kind, indexes, now_ms=now)
        return [row for row in found if is_usable(db, scope, row.resident_id)]

    rows = await desk.store.write(work)
    return [FoundResident(resident=row.resident_id, household=row.household_id) for row in rows]
