"""Let another district key seal, and free what depends on the others, beside running servers.

Other processes notice at their next request: the database says which key seals, and they read
the keyring again when it is one they do not know. A transaction that stores something holds
that key, so nothing is sealed by the old one after the first step.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection

from server.clock import now_ms
from server.db.store import Store
from server.identifiers import key_queries, queries
from server.identifiers.access import keys_of
from server.identifiers.destroying import destroy_doomed
from server.identifiers.sealer import field_of, place_of
from server.sealed.envelope import unseal
from server.sealed.keyring import DistrictKey
from server.sealed.problems import SealingUnavailable
from server.sealed.sealing import Keys, Sealing
from server.sealed.suites import Tampered

PAGE: Final = 200


@dataclass(slots=True, kw_only=True)
class Rotated:
    """How much was changed, what could not be, and which keys nothing needs any more."""

    wrapped: int = 0
    indexed: int = 0
    left: int = 0
    retired: tuple[str, ...] = ()


async def rotate(store: Store, sealing: Sealing, key_id: str) -> Rotated:
    """Let the district key `key_id` seal. Safe to repeat, and to break off.

    Raises:
        SealingUnavailable: if the keyring does not hold it, or lacks a key that is in use.
        StoreBusy: if the store is away.
    """
    ring = await asyncio.to_thread(sealing.read_again)
    wanted = ring.keys.get(key_id)
    if wanted is None:
        raise SealingUnavailable(f"The district key {key_id} is not in the keyring.")
    await keys_of(store, sealing)  # refuses before anything is changed
    await store.write(lambda db: key_queries.make_current(db, wanted, now_ms=now_ms()))
    keys = await keys_of(store, sealing)
    done = Rotated()
    await _wrap_all(store, sealing, keys, done)
    done.left += (await destroy_doomed(store, sealing.vault, sealing)).left
    await _index_all(store, sealing, keys, done)
    if not done.left:
        done.retired = await _retire(store, wanted)
    return done


async def _wrap_all(store: Store, sealing: Sealing, keys: Keys, done: Rotated) -> None:
    after: str | None = None
    while rows := await store.read(partial(queries.data_keys, after=after, limit=PAGE)):
        for row in rows:
            done.wrapped += await _wrap(sealing, keys, row)
            if await asyncio.to_thread(_is_foreign, sealing, keys, row):
                await store.write(partial(_doom, key_id=str(row.id)))
        after = str(rows[-1].id)


async def _wrap(sealing: Sealing, keys: Keys, row: queries.DbRow) -> bool:
    """Wrap one data key anew; one that cannot be had is noticed by `_index_all`."""
    with suppress(SealingUnavailable):
        return await asyncio.to_thread(sealing.wrap_anew, keys, str(row.id))
    return False


def _is_foreign(sealing: Sealing, keys: Keys, row: queries.DbRow) -> bool:
    """Say whether a data key is of another suite, so that what it sealed has to move."""
    with suppress(SealingUnavailable):
        return bool(row.used) and sealing.open(keys, str(row.id)).suite != keys.current.suite
    return False


def _doom(db: Connection, *, key_id: str) -> None:
    queries.doom_key(db, key_id, now_ms=now_ms())


async def _index_all(store: Store, sealing: Sealing, keys: Keys, done: Rotated) -> None:
    current = keys.current.id
    after: tuple[str, str] | None = None
    while True:
        page = partial(queries.indexed_otherwise, key_id=current, after=after, limit=PAGE)
        rows = await store.read(page)
        if not rows:
            return
        changes = await asyncio.to_thread(_indexed, sealing, keys, rows)
        await store.write(partial(queries.reindex, rows=changes))
        done.indexed += len(changes)
        done.left += len(rows) - len(changes)
        after = (str(rows[-1].resident_id), str(rows[-1].kind))


def _indexed(
    sealing: Sealing, keys: Keys, rows: Sequence[queries.DbRow]
) -> list[dict[str, Any]]:
    changes = []
    for row in rows:
        sealed = bytes(row.sealed)
        try:
            key = sealing.open(keys, str(row.data_key))
            text = unseal(key, place_of(row.resident_id, row.kind), sealed)
        except (SealingUnavailable, Tampered):
            continue
        changes.append(
            {
                "resident": row.resident_id,
                "of_kind": row.kind,
                "as_read": sealed,
                "new_index": keys.current.index_of(field_of(row.kind), text),
                "new_key": keys.current.id,
            }
        )
    return changes


async def _retire(store: Store, current: DistrictKey) -> tuple[str, ...]:
    in_use = await store.read(key_queries.in_use)
    others = [each.id for each in in_use if each.id != current.id]
    gone = [
        each for each in others if await store.write(partial(key_queries.retire, key_id=each))
    ]
    return tuple(gone)
