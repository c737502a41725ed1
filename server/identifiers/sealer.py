"""A key to seal with, and that it still is the one when something is stored.

The key is made before the transaction that stores what it sealed. Between the two it may be
doomed, or another district key may become the one that seals: then it begins again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from server.clock import new_id
from server.db.store import RetryTransaction, Store
from server.identifiers import key_queries, queries
from server.identifiers.access import keys_of
from server.problems import ServiceUnavailable
from server.sealed.envelope import DataKey, Place, seal
from server.sealed.sealing import DataKeyLost, Keys, Sealing

TABLE: Final = "resident_identifier"
ATTEMPTS: Final = 4
T = TypeVar("T")


class KeyMoved(Exception):  # noqa: N818 - asks for another attempt, is not a failure
    """The key at hand is not the one to seal with any more; nothing was stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealer:
    """A data key of a household, and the district keys that belong to it."""

    keys: Keys
    key: DataKey

    def hold(self, db: Connection) -> None:
        """Make sure that this is the key to seal with until the transaction ends.

        Raises:
            KeyMoved: if it is not.
        """
        current = key_queries.hold_current(db) == self.keys.current.id
        if not current or not queries.hold_live(db, self.key.id):
            raise KeyMoved

    def seal(self, resident_id: str, kind: str, text: str) -> bytes:
        """Return a number sealed for its place."""
        return seal(self.key, place_of(resident_id, kind), text)

    def index(self, kind: str, text: str) -> bytes:
        """Return the blind index of a number."""
        return self.keys.current.index_of(field_of(kind), text)


def place_of(resident_id: str, kind: str) -> Place:
    """Return where a number of a resident stands."""
    return Place(table=TABLE, record=resident_id, field=kind)


def field_of(kind: str) -> str:
    """Return the name under which the index of a kind is derived."""
    return f"{TABLE}.{kind}"


async def sealer_for(
    store: Store, sealing: Sealing, household: Callable[[Connection], str], *, now_ms: int
) -> Sealer:
    """Return what seals for the household that `household` finds, which may raise.

    Raises:
        SealingUnavailable: if a key that is needed cannot be had.
        KeyMoved: if the keys changed meanwhile.
    """
    keys = await keys_of(store, sealing)

    def claim(db: Connection) -> tuple[str, bool]:
        home = household(db)
        try:
            if key_queries.note_first(db, keys.current, now_ms=now_ms) != keys.current.id:
                raise KeyMoved
            return queries.live_key(db, home, new_id(), now_ms=now_ms)
        except IntegrityError as error:
            raise RetryTransaction from error  # somebody made the household's key beside us

    key_id, used = await store.write(claim)
    try:
        key = await asyncio.to_thread(sealing.ready_to_seal, keys, key_id, used=used)
    except DataKeyLost as lost:
        if used:
            raise
        # It sealed nothing that we know of: let the household have another. Should somebody
        # seal with it beside us, that is refused, or sealed anew before the key is destroyed.
        await store.write(lambda db: queries.doom_key(db, key_id, now_ms=now_ms))
        raise KeyMoved from lost
    return Sealer(keys=keys, key=key)


async def until_held(once: Callable[[], Awaitable[T]]) -> T:
    """Run `once` until no key moves meanwhile, a few times.

    Raises:
        ServiceUnavailable: if keys move all the time.
    """
    for _ in range(ATTEMPTS):
        try:
            return await once()
        except KeyMoved:
            continue
    raise ServiceUnavailable
