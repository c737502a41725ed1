"""Publish a draft: one transaction for the boundaries and for everything that moves with them.

What is costly is done before the transaction, on a snapshot: the check, and where everything
belongs. Inside, under the locks of the grids' buckets, it is made sure that neither the draft,
nor any boundary, nor what lives on the ground has changed since; else it all begins anew.

The order of locks is that of imports and of the write path: the area tree, the console, the
buckets in the order of their ids, the counter of the boundaries.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from geo.areas import LEVEL_GRID
from geo.boundary import encode_boundary
from geo.lineage import Share, shares
from geo.measure import area_m2
from server.areas.queries import scope_of
from server.boundaries import queries
from server.boundaries.access import may_publish
from server.boundaries.content import Given
from server.boundaries.drafting import require_draft, the_draft
from server.boundaries.examining import Case, case_of, faults_in
from server.boundaries.inheriting import inherit
from server.boundaries.moving import (
    MOVES_MAX,
    Amount,
    Occupant,
    Residence,
    Tally,
    occupants_of,
    residence_of,
)
from server.boundaries.problems import ChangeRefused
from server.boundaries.queries import AnyRow
from server.boundaries.reading import change_body, the_change
from server.boundaries.schemas import ChangeBody, MovedBody, ResultBody
from server.clock import now_ms
from server.consolewrites import Asking
from server.db.store import Store, StoreBusy
from server.imports.areas import AreasRefusedError, AreaWanted, place_areas
from server.imports.queries import lock_tree
from server.problems import (
    BodyError,
    Forbidden,
    InvalidBody,
)
from server.replication.consoles import Console, console_device
from server.replication.queries import GRIDS_VERSION, lock_buckets, next_number
from server.replication.submit import Draft, require_done, submit
from sync.facts import grid_bucket

ATTEMPTS_MAX = 3
BATCH_MAX = 50
_NONE = Amount(0, 0)


class _ChangedMeanwhileError(Exception):
    """What was prepared does not hold any more; roll back and prepare again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A draft that may be published as things stood in one snapshot."""

    row: AnyRow
    case: Case
    occupants: Sequence[Occupant]
    tally: Tally
    lineage: Sequence[Share]


async def publish(store: Store, asking: Asking, change_id: str, *, rev: int) -> ChangeBody:
    """Publish a draft at `rev`; a change that was published from it is answered as it is.

    Raises:
        NotFound, PreconditionFailed, TransitionRefused: see `drafting.the_draft`.
        Forbidden: unless the caller may publish it, see `access.may_publish`.
        StaleBoundary: see `examining.case_of`.
        InvalidBody: if the community is full, or a worker would hold too many grids.
        ChangeRefused: if it has faults or orphans, or moves more than `MOVES_MAX`.
        StoreBusy: if others kept changing what it moves.
    """
    for _ in range(ATTEMPTS_MAX):
        row, case, residence = await store.read(
            lambda db: _gathered(db, asking, change_id, rev=rev)
        )
        if case is None or residence is None:
            return change_body(row)
        prepared = await asyncio.to_thread(_prepared, row, case, residence)
        try:
            return await store.write(lambda db: _publish(db, asking, prepared))  # noqa: B023 - awaited at once
        except _ChangedMeanwhileError:
            continue
    raise StoreBusy("contended")


def _gathered(
    db: Connection, asking: Asking, change_id: str, *, rev: int
) -> tuple[AnyRow, Case | None, Residence | None]:
    """The draft with all that its check needs; only the change if it is published already."""
    scope = scope_of(db, asking.principal, asking.now_ms)
    row = the_change(db, scope, change_id)
    if not may_publish(asking.principal, drawn_by=row.drawn_by):
        raise Forbidden("Grids are published from a street or above, not by who drew them.")
    if row.state == "published":
        return row, None, None
    require_draft(row, rev=rev)
    case = case_of(db, scope, row)
    return row, case, residence_of(db, scope, case)


def _prepared(row: AnyRow, case: Case, residence: Residence) -> Prepared:
    faults = [each for each in faults_in(case) if each.refused]
    occupants = occupants_of(case, residence)
    tally = Tally(occupants)
    if faults or not tally.publishable:
        raise ChangeRefused(
            faults=len(faults),
            orphans=tally.orphans,
            moving=tally.moving,
            moving_max=MOVES_MAX,
        )
    return Prepared(
        row=row,
        case=case,
        occupants=sorted(occupants),
        tally=tally,
        lineage=shares(case.proposal.taken, case.proposal.given),
    )


def _publish(db: Connection, asking: Asking, prepared: Prepared) -> ChangeBody:
    """The transaction. Its time is read inside: versions begin when they take effect."""
    case, at_ms = prepared.case, now_ms()
    writing = Asking(principal=asking.principal, now_ms=at_ms)
    console = Console(account=asking.principal.account, role=asking.principal.role.value)
    lock_tree(db)
    the_draft(db, writing, prepared.row.id, rev=prepared.row.rev)
    console_device(db, console, at_ms)
    _lock_ground(db, prepared)
    opened = [each for each in case.content.given.values() if each.id not in case.grids]
    _open_areas(db, writing, opened)
    drafts = [*_grid_drafts(case, at_ms), *_move_drafts(prepared.occupants)]
    for start in range(0, len(drafts), BATCH_MAX):
        require_done(submit(db, console, drafts[start : start + BATCH_MAX], now_ms=at_ms))
    queries.name_versions(db, sorted(case.content.given), prepared.row.id)
    queries.add_lineage(db, _lineage_rows(prepared, at_ms))
    result = ResultBody(
        opened=sorted(each.id for each in opened),
        redrawn=sorted(case.content.given.keys() & case.grids.keys()),
        closed=sorted(case.proposal.closed),
        moved=_moved(prepared.tally),
        assignments=inherit(db, case, at_ms),
    )
    values = {
        "state": "published",
        "published_by": asking.principal.account,
        "published_ms": at_ms,
        "updated_ms": at_ms,
        "result": result.model_dump_json(),
    }
    queries.save_change(db, prepared.row.id, values)
    scope = scope_of(db, asking.principal, at_ms)
    return change_body(the_change(db, scope, prepared.row.id))


def _lock_ground(db: Connection, prepared: Prepared) -> None:
    """Lock the buckets of all grids concerned, and see that nothing has changed since."""
    case = prepared.case
    grids = {*case.grids, *case.content.given}
    grids |= {each.after for each in prepared.occupants if each.after is not None}
    lock_buckets(db, {grid_bucket(each) for each in grids})
    if next_number(db, GRIDS_VERSION) != case.version + 1:
        raise _ChangedMeanwhileError
    expected = {each.id: each.rev for each in prepared.occupants if each.before in case.grids}
    if queries.occupants(db, sorted(case.grids)) != expected:
        raise _ChangedMeanwhileError


def _open_areas(db: Connection, asking: Asking, opened: Sequence[Given]) -> None:
    """Give each new grid its leaf of the area tree."""
    if not opened:
        return
    scope = scope_of(db, asking.principal, asking.now_ms)
    ids = sorted({each.community for each in opened})
    codes = {row.id: row.code for row in queries.areas_named(db, scope, ids)}
    try:
        place_areas(
            db,
            [
                AreaWanted(
                    row=at,
                    code=each.code,
                    name=each.name,
                    level=LEVEL_GRID,
                    parent=codes[each.community],
                )
                for at, each in enumerate(opened)
            ],
            dry_run=False,
        )
    except AreasRefusedError as refusal:
        reasons = [BodyError(pointer="/edits", reason=why) for _, _, why in refusal.refused]
        raise InvalidBody(errors=reasons) from None


def _grid_drafts(case: Case, at_ms: int) -> Iterator[Draft]:
    for grid, given in case.content.given.items():
        shape = case.proposal.given[grid]
        drawn = {
            "boundary": encode_boundary(shape),
            "area_m2": round(area_m2(shape)),
            "valid_from_ms": at_ms,
        }
        row = case.grids.get(grid)
        if row is None:
            names = {"code": given.code, "name": given.name, "community": given.community}
            yield Draft(record=grid, kind="grid", base=0, set=names | drawn)
        else:
            yield Draft(record=grid, kind="grid", base=row.rev, set=drawn)
    for grid in sorted(case.proposal.closed):
        base = case.grids[grid].rev
        yield Draft(record=grid, kind="grid", base=base, set={"valid_to_ms": at_ms})


def _move_drafts(occupants: Sequence[Occupant]) -> Iterator[Draft]:
    return (
        Draft(record=each.id, kind=each.kind, base=each.rev, set={"grid": each.after})
        for each in occupants
        if each.moves
    )


def _moved(tally: Tally) -> MovedBody:
    dwellings, incidents = tally.moved("dwelling"), tally.moved("incident")
    return MovedBody(
        dwellings=dwellings.number,
        households=dwellings.weight,
        incidents=incidents.number,
        tasks=incidents.weight,
    )


def _lineage_rows(prepared: Prepared, at_ms: int) -> list[dict[str, Any]]:
    ways = prepared.tally.ways
    return [
        {
            "change_id": prepared.row.id,
            "parent_id": each.parent,
            "child_id": each.child,
            "at_ms": at_ms,
            "area_m2": round(each.area_m2),
            "parent_ppm": each.parent_ppm,
            "child_ppm": each.child_ppm,
            "households": ways.get(("dwelling", each.parent, each.child), _NONE).weight,
        }
        for each in prepared.lineage
    ]
