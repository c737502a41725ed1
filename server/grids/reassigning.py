"""Move what a redrawn boundary left on the wrong side, as one bulk operation.

A dwelling whose point lies in another grid now takes its households with it, and those what
belongs to them. Each batch is a transaction of its own through the one write path.
"""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection

from server.areas.queries import scope_of
from server.clock import now_ms
from server.db.store import Store
from server.grids import queries
from server.grids.schemas import Reassigned
from server.identity.principal import Principal
from server.problems import NotFound
from server.replication.locating import published
from server.replication.submit import Console, Draft, require_done, submit

BATCH_DWELLINGS_MAX = 50
DWELLINGS_MAX = 20_000


async def reassign(
    store: Store, principal: Principal, grid_id: str, *, dry_run: bool
) -> Reassigned:
    """Move the dwellings of a grid whose point lies in another grid, or count them.

    A dwelling in no grid stays: where it belongs is for a person to say. Batches commit one
    after the other, so after a fault the call is simply made again.

    Raises:
        NotFound: if the grid is not in scope.
        TooManyDependants: if more belongs to a batch of dwellings than may follow.
    """
    misplaced, nowhere = await store.read(lambda db: _misplaced(db, principal, grid_id))
    if not dry_run:
        console = Console(account=principal.account, role=principal.role.value)
        for start in range(0, len(misplaced), BATCH_DWELLINGS_MAX):
            batch = misplaced[start : start + BATCH_DWELLINGS_MAX]
            await store.write(partial(_move, console=console, drafts=batch))
    to: dict[str, int] = {}
    for draft in misplaced:
        to[draft.set["grid"]] = to.get(draft.set["grid"], 0) + 1
    return Reassigned(moved=len(misplaced), to=to, in_no_grid=nowhere, dry_run=dry_run)


def _misplaced(db: Connection, principal: Principal, grid_id: str) -> tuple[list[Draft], int]:
    """Drafts that put each misplaced dwelling right, by id, and how many lie in no grid."""
    scope = scope_of(db, principal, now_ms())
    if queries.grid_in(db, scope, grid_id) is None:
        raise NotFound
    index = published(db).index
    drafts, nowhere = [], 0
    for row in queries.dwellings_of(db, scope, grid_id, limit=DWELLINGS_MAX):
        grid = index.locate(row.geom.x, row.geom.y, 0.0).grid
        if grid is None:
            nowhere += 1
        elif grid != grid_id:
            drafts.append(
                Draft(record=row.id, kind="dwelling", base=row.rev, set={"grid": grid})
            )
    return drafts, nowhere


def _move(db: Connection, *, console: Console, drafts: Sequence[Draft]) -> None:
    require_done(submit(db, console, drafts, now_ms=now_ms()))
