"""Keep every state a grid ever had, each with the time it held (`grid_version`).

The write path calls this in the transaction that changes a grid, so history has no holes:
whoever redraws a boundary, by import, by console or by publishing a change, leaves a version.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from geo.boundary import decode_boundary
from geo.history import end_of, start_of
from server.replication import version_queries
from server.replication.feeds import Change
from sync.state import state_of

FACTS = ("code", "name", "community", "boundary", "area_m2", "valid_to_ms")
"""What of a grid makes a new version when it changes."""


def note_versions(
    db: Connection,
    changes: Iterable[Change],
    numbers: Mapping[str, int],
    *,
    by: str,
    now_ms: int,
) -> None:
    """Open and end the versions that follow from changed grids, within their transaction.

    A new state begins now (see `geo.history.start_of`); one with `valid_to_ms` ends the grid.
    """
    changed = [each for each in changes if each.record.kind == "grid" and _differs(each)]
    if not changed:
        return
    last = version_queries.last_versions(db, [each.record.id for each in changed])
    ends = {grid: end_of(now_ms, each.from_ms) for grid, each in last.items() if each.in_force}
    if ends:
        version_queries.end_versions(db, sorted(ends.items()))
    ends |= {grid: max(now_ms, each.to_ms) for grid, each in last.items() if grid not in ends}
    opened = [
        _row(each, numbers[each.record.bucket], by=by, now_ms=now_ms, after=ends)
        for each in changed
        if each.state.get("valid_to_ms") is None
    ]
    version_queries.add_versions(db, opened)


def _differs(change: Change) -> bool:
    if change.before is None:
        return True
    was = state_of(change.before.record)
    return any(was.get(name) != change.state.get(name) for name in FACTS)


def _row(
    change: Change, area_no: int, *, by: str, now_ms: int, after: Mapping[str, int]
) -> dict[str, Any]:
    """A version that begins when the last one of its grid ended (`after`), or is the first."""
    state, grid = change.state, change.record.id
    first_ms = start_of(now_ms, state.get("valid_from_ms"))
    return {
        "grid_id": grid,
        "rev": change.record.rev,
        "area_no": area_no,
        "code": state["code"],
        "name": state["name"],
        "community_id": state["community"],
        "area_m2": state["area_m2"],
        "valid_from_ms": after.get(grid, first_ms),
        "published_by": by,
        "recorded_ms": now_ms,
        "geom": decode_boundary(state["boundary"]),
    }


def started(db: Connection, grid_ids: Sequence[str]) -> dict[str, int]:
    """When the version in force of each grid began (ms); a grid without one is left out."""
    last = version_queries.last_versions(db, grid_ids)
    return {grid: each.from_ms for grid, each in last.items() if each.in_force}
