"""The preview of a draft: flows between grids and workers, loads before and afterwards."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from server.areas.scope import Scope
from server.boundaries import queries
from server.boundaries.examining import Case
from server.boundaries.moving import MOVES_MAX, Occupant, Residence, Tally, residence_of
from server.boundaries.queries import AnyRow
from server.boundaries.schemas import (
    FlowBody,
    GridLoadBody,
    PreviewBody,
    WorkerLoadBody,
)

LISTED_MAX = 100
_SHOWN = {"dwelling": "households", "incident": "tasks"}
_COUNTED = {"dwelling": "dwellings", "incident": "incidents"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a preview needs beside the case: what lives there, and who looks after it.

    `workers` are the logins that hold each grid now, or will hold each new one.
    """

    residence: Residence
    workers: Mapping[str, Sequence[str]]


def around(db: Connection, scope: Scope, case: Case, now_ms: int) -> Around:
    """Load what lives on the ground of a draft and who looks after it."""
    return Around(
        residence=residence_of(db, scope, case), workers=_workers(db, scope, case, now_ms)
    )


def _workers(db: Connection, scope: Scope, case: Case, now_ms: int) -> dict[str, list[str]]:
    """Who holds each grid: a new one is held by who held what it takes, or the community."""
    numbers = {grid: row.area_no for grid, row in case.grids.items()}
    communities = sorted({each.community for each in case.content.given.values()})
    spans = {row.id: row.lo for row in queries.areas_named(db, scope, communities)}
    asked = [*numbers.values(), *spans.values()]
    held = queries.holders(db, asked, now_ms) if asked else ()
    found = {grid: _over(held, number) for grid, number in numbers.items()}
    for edit in case.content.edits:
        for each in edit.gives:
            if each.id not in found:
                above = _over(held, spans[each.community]) if each.community in spans else []
                before = (login for grid in edit.takes for login in found.get(grid, ()))
                found[each.id] = sorted({*above, *before})
    return found


def _over(held: Iterable[AnyRow], number: int) -> list[str]:
    return sorted({row.login for row in held if row.lo <= number <= row.hi})


def preview_of(case: Case, occupants: Sequence[Occupant], near: Around) -> PreviewBody:
    """Tell what would move. Orphans refuse the change, and so do more moves than the limit."""
    tally = Tally(occupants)
    orphans = sorted(each.id for each in occupants if each.after is None)
    ambiguous = sorted(each.id for each in occupants if each.ambiguous)
    loads = _Loads(tally)
    touched = [*case.grids, *(each for each in case.content.given if each not in case.grids)]
    return PreviewBody(
        publishable=tally.publishable,
        flows=_flows(tally, case, near.workers),
        grids=[
            GridLoadBody(grid=grid, code=case.codes[grid], **loads.of([grid]))
            for grid in sorted(touched, key=lambda each: case.codes[each])
        ],
        workers=[
            WorkerLoadBody(worker=login, **loads.of(grids))
            for login, grids in sorted(_grids_of(near.workers).items())
        ],
        ambiguous=len(ambiguous),
        ambiguous_first=ambiguous[:LISTED_MAX],
        orphans=tally.orphans,
        orphans_first=orphans[:LISTED_MAX],
        moving=tally.moving,
        moving_max=MOVES_MAX,
    )


def _grids_of(workers: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for grid, logins in workers.items():
        for login in logins:
            found.setdefault(login, []).append(grid)
    return found


class _Loads:
    """Counts of what lives in each grid, before and afterwards."""

    def __init__(self, tally: Tally) -> None:
        self._counts: Counter[tuple[str, str | None, str]] = Counter()
        for (kind, before, after), amount in tally.ways.items():
            for when, grid in (("before", before), ("after", after)):
                self._counts[when, grid, _SHOWN[kind]] += amount.weight
                self._counts[when, grid, _COUNTED[kind]] += amount.number

    def of(self, grids: Iterable[str]) -> dict[str, int]:
        """The load of several grids together, as members of a `LoadBody`."""
        asked = list(grids)
        return {
            f"{what}_{when}": sum(self._counts[when, grid, what] for grid in asked)
            for what in ("households", "incidents", "tasks")
            for when in ("before", "after")
        }


def _flows(tally: Tally, case: Case, workers: Mapping[str, Sequence[str]]) -> list[FlowBody]:
    """What goes from one grid to another, in the order of their codes, orphans last."""
    flows: dict[tuple[str, str | None], Counter[str]] = {}
    for (kind, before, after), amount in tally.ways.items():
        if after != before:
            counts = flows.setdefault((before, after), Counter())
            counts[_COUNTED[kind]] += amount.number
            counts[_SHOWN[kind]] += amount.weight
    codes = case.codes
    return [
        FlowBody(
            from_grid=source,
            to_grid=target,
            dwellings=counts["dwellings"],
            households=counts["households"],
            incidents=counts["incidents"],
            tasks=counts["tasks"],
            from_workers=list(workers.get(source, ())),
            to_workers=list(workers.get(target or "", ())),
        )
        for (source, target), counts in sorted(
            flows.items(),
            key=lambda flow: (
                codes.get(flow[0][0], ""),
                flow[0][1] is None,
                codes.get(flow[0][1] or "", ""),
            ),
        )
    ]
