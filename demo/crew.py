"""Who works where: workers with a few neighbouring grids each, where the requests are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import shapely
from shapely import STRtree

from demo.chance import SeededChance
from demo.sources import Request, dwellings_by_grid, grid_shapes, stream

GRIDS_MIN, GRIDS_MAX = 2, 4
SHARED_EVERY = 6
"""The first two of every six workers share their grids, so that they edit the same records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlan:
    """One worker: login, grid codes, requests that lie in them, who shares the same grids."""

    index: int
    login: str
    grids: tuple[str, ...]
    requests: tuple[Request, ...]
    partner: int | None


def requests_by_grid() -> Mapping[str, list[Request]]:
    """Return the mapped requests by the code of the grid that holds each, in stream order."""
    shapes = grid_shapes()
    codes, requests = list(shapes), stream()
    tree = STRtree([shapes[code] for code in codes])
    points = shapely.points([(each.lon, each.lat) for each in requests])
    hits, cells = tree.query(points, predicate="within")
    found: dict[str, list[Request]] = {}
    for request, cell in zip(hits.tolist(), cells.tolist(), strict=True):
        found.setdefault(codes[cell], []).append(requests[request])
    return found


def neighbours() -> Mapping[str, list[str]]:
    """Return for every grid the codes of the grids that touch it, ascending."""
    shapes = grid_shapes()
    codes = list(shapes)
    tree = STRtree([shapes[code] for code in codes])
    found: dict[str, list[str]] = {code: [] for code in codes}
    for one, other in tree.query(
        [shapes[code] for code in codes], predicate="touches"
    ).T.tolist():
        found[codes[one]].append(codes[other])
    return {code: sorted(near) for code, near in found.items()}


def plan_crew(devices: int, *, seed: int) -> list[WorkerPlan]:
    """Return the plan of `devices` workers; the same seed gives the same plan."""
    chance = SeededChance(seed, "crew")
    requests, near, built = requests_by_grid(), neighbours(), dwellings_by_grid()
    free = {code: len(requests.get(code, ())) for code in built}
    plans: list[WorkerPlan] = []
    for index in range(devices):
        grids: Sequence[str]
        shares = index % SHARED_EVERY == 1
        if shares:
            grids = plans[-1].grids
        else:
            grids = _group(free, near, chance.between(GRIDS_MIN, GRIDS_MAX))
        found = [each for code in grids for each in requests.get(code, ())]
        plans.append(
            WorkerPlan(
                index=index,
                login=f"worker-{index + 1:02}",
                grids=tuple(grids),
                requests=tuple(chance.shuffled(found)),
                partner=_partner(index, devices),
            )
        )
    return plans


def _partner(index: int, devices: int) -> int | None:
    if index % SHARED_EVERY == 1:
        return index - 1
    if index % SHARED_EVERY == 0 and index + 1 < devices:
        return index + 1
    return None


def _group(free: dict[str, int], near: Mapping[str, Sequence[str]], size: int) -> list[str]:
    """Take the busiest free grid and its busiest free neighbours out of `free`.

    Raises:
        ValueError: if no grid is left.
    """
    if not free:
        raise ValueError("there are not enough grids for so many workers")
    group = [max(free, key=lambda code: (free[code], code))]
    del free[group[0]]
    while len(group) < size:
        edge = {each for code in group for each in near[code] if each in free}
        if not edge:
            break
        group.append(max(edge, key=lambda code: (free[code], code)))
        del free[group[-1]]
    return sorted(group)
