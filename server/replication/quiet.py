"""A call that brings no work: most calls of a day, so it asks as little as it can.

Everything it needs is read first, without a transaction where one question sees one moment;
then one statement notes the contact, on condition that the device stands as it was read. When
anything moved meanwhile the call is answered the long way, which locks.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection

from server.clock import new_lease
from server.db.store import Store
from server.replication import contact_queries, pull
from server.replication.contact_queries import Standing
from server.replication.media_queries import media_wanted
from server.replication.push import Contact, Phone, contact_values, rotate_lease
from server.replication.queries import incarnation
from sync.media import ASKED_FOR_MS
from sync.wire import SyncRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a reply tells beside what became of the request's own work."""

    incarnation: str
    pulled: pull.Pulled
    wanted: tuple[str, ...]


def look(
    db: Connection, phone: Phone, asked: SyncRequest, *, now_ms: int, revoked: bool
) -> Seen:
    """Read what the phone is missing; a revoked one may hold nothing."""
    return Seen(
        incarnation=incarnation(db),
        pulled=_pulled(db, phone, asked, now_ms=now_ms, revoked=revoked),
        wanted=() if revoked else media_wanted(db, phone.device, now_ms),
    )


def _pulled(
    db: Connection, phone: Phone, asked: SyncRequest, *, now_ms: int, revoked: bool
) -> pull.Pulled:
    heads = () if revoked else pull.allowed_heads(db, phone.account, now_ms)
    budget = pull.page_bytes(asked.max_bytes)
    return pull.pull(db, heads, asked.buckets, budget=budget, takes=asked.takes)


async def quiet_call(
    store: Store, phone: Phone, asked: SyncRequest, *, now_ms: int
) -> tuple[Contact, Seen] | None:
    """Answer a call without mutations, or None if it has to go the long way.

    Raises:
        StaleLease: as `push` does.
    """
    read = partial(_read, phone=phone, asked=asked, now_ms=now_ms)
    try:
        found = await store.ask(read)
    except pull.MovedOn:
        return None
    if found is None:
        return None
    standing, seen = found
    values = _changed(standing, asked, now_ms)
    noted = await store.note(
        lambda db: contact_queries.note_contact(db, phone.device, standing, values)
    )
    if not noted:
        return None
    contact = Contact(
        lease=values["lease"],
        settled_through=standing.settled_through,
        answers=(),
        revoked=False,
    )
    return contact, seen


def _read(
    db: Connection, *, phone: Phone, asked: SyncRequest, now_ms: int
) -> tuple[Standing, Seen] | None:
    found = contact_queries.standing(db, phone.device, now_ms - ASKED_FOR_MS)
    if found is None or found[0].status == "revoked":
        return None
    standing, lived, wanted = found
    seen = Seen(
        incarnation=lived,
        pulled=_pulled(db, phone, asked, now_ms=now_ms, revoked=False),
        wanted=media_wanted(db, phone.device, now_ms) if wanted else (),
    )
    return standing, seen


def _changed(standing: Standing, asked: SyncRequest, now_ms: int) -> dict[str, Any]:
    kept = {"lease": standing.lease, "lease_previous": standing.lease_previous}
    turned = rotate_lease(standing, asked.lease, new_lease())
    return kept | turned | contact_values(standing, asked, now_ms)
