"""Destroy data keys that are doomed, so that no backup of what they sealed can be read.

What others of the household keep under such a key is sealed anew first. Safe to repeat, and to
run at once: a key goes only when nothing is left that needs it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final

from fastapi import Depends, Request
from sqlalchemy import Connection

from server.clock import now_ms
from server.db.store import Store, StoreBusy
from server.identifiers import queries
from server.identifiers.sealer import KeyMoved, place_of, sealer_for
from server.problems import Problem
from server.sealed.envelope import unseal
from server.sealed.problems import SealingUnavailable
from server.sealed.sealing import Sealing, vault_of
from server.sealed.suites import Tampered
from server.sealed.vault import Vault

PAGE: Final = 200
PAGES_MAX: Final = 1_000_000
Destroying = Callable[[], Awaitable[None]]
_LOG = logging.getLogger("jingwei.sealed")


@dataclass(slots=True, kw_only=True)
class Destroyed:
    """How many keys were destroyed, and how many could not be yet."""

    keys: int = 0
    left: int = 0


async def destroy_doomed(
    store: Store, vault: Vault, sealing: Sealing | None, *, pages: int = PAGES_MAX
) -> Destroyed:
    """Destroy every doomed key that can be; without `sealing` those that nothing needs.

    It looks at `pages` times `PAGE` keys, in the order of their ids.

    Raises:
        StoreBusy: if the store is away; what was done until then stays done.
    """
    done = Destroyed()
    after: str | None = None
    for _ in range(pages):
        page = partial(queries.data_keys, after=after, limit=PAGE, doomed=True)
        rows = await store.read(page)
        if not rows:
            break
        for row in rows:
            if await _destroyed(store, vault, sealing, row):
                done.keys += 1
            else:
                done.left += 1
        after = str(rows[-1].id)
    return done


async def destroy_soon(store: Store, vault: Vault, sealing: Sealing | None) -> None:
    """Destroy what is doomed now; whatever stands in the way, `jingwei maintain` does it later.

    What was removed is gone from the store already, so the caller's work is done.
    """
    try:
        done = await destroy_doomed(store, vault, sealing, pages=1)
    except (StoreBusy, Problem) as error:
        _LOG.warning("destroying keys has to wait: %s", type(error).__name__)
        return
    if done.left:
        _LOG.warning("%d keys could not be destroyed yet; see jingwei keys check", done.left)


async def the_destroying(request: Request) -> Destroying:
    """Return what destroys doomed keys, for an endpoint that has just committed."""
    state = request.app.state
    vault = vault_of(state.settings)

    async def destroy() -> None:
        await destroy_soon(state.store, vault, state.sealing)

    return destroy


DestroyingDep = Annotated[Destroying, Depends(the_destroying)]


async def _destroyed(
    store: Store, vault: Vault, sealing: Sealing | None, row: queries.DbRow
) -> bool:
    key_id = str(row.id)
    try:
        if row.used:
            await _seal_anew(store, sealing, key_id, str(row.household_id))
        await asyncio.to_thread(vault.destroy, key_id)
    except (SealingUnavailable, KeyMoved, Tampered):
        return False
    await store.write(lambda db: queries.drop_data_key(db, key_id))
    return True


async def _seal_anew(
    store: Store, sealing: Sealing | None, key_id: str, household: str
) -> None:
    """Seal what a doomed key sealed under the household's living key."""
    if sealing is None:
        raise SealingUnavailable
    sealer = await sealer_for(store, sealing, lambda _: household, now_ms=now_ms())
    old = await asyncio.to_thread(sealing.open, sealer.keys, key_id)

    def work(db: Connection) -> None:
        sealer.hold(db)
        rows = []
        for row in queries.sealed_by(db, key_id):
            text = unseal(old, place_of(row.resident_id, row.kind), bytes(row.sealed))
            rows.append(
                {
                    "resident": row.resident_id,
                    "of_kind": row.kind,
                    "old_key": key_id,
                    "new_key": sealer.key.id,
                    "new_sealed": sealer.seal(row.resident_id, row.kind, text),
                }
            )
        queries.reseal(db, rows)

    await store.write(work)
