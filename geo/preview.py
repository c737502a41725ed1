"""What a proposal moves: for many places at once, the grid of each now and afterwards.

A place is something that lives in a grid and has a point: a dwelling, an incident. It moves if
its point lies in another grid afterwards. One whose point lay in no grid before stays where it
is as long as its grid does; where it belongs is for a person to say.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from geo.changes import Proposal
from geo.locate import GridIndex
from geo.measure import metres_per_degree

Numbers = Sequence[float] | NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebucketed:
    """For each place the grid it belongs to afterwards, in the order of the places.

    None is an orphan: its grid is no more, or does not hold it any more, and no other does.
    `ambiguous` places lie so near to a border of a grid that an edit gives that their own
    measurement cannot tell the side.
    """

    grids: tuple[str | None, ...]
    ambiguous: NDArray[np.bool_]


def rebucket(
    proposal: Proposal,
    homes: Sequence[str],
    lons: Numbers,
    lats: Numbers,
    *,
    codes: dict[str, str],
    edge_m: float,
) -> Rebucketed:
    """Return where places belong afterwards.

    Args:
        proposal: what the boundaries would be.
        homes: the grid each place belongs to now.
        lons: WGS 84 degrees, one a place; a place without a point is not a number.
        lats: likewise.
        codes: the code of every grid before and afterwards, which decides ties.
        edge_m: how near to a border is ambiguous, in metres (right to about 1 %).
    """
    x, y = np.asarray(lons, np.float64), np.asarray(lats, np.float64)
    now = GridIndex.build(proposal.after, codes).locate_many(x, y)
    lost = np.flatnonzero(np.array([each is None for each in now], dtype=bool))
    was = GridIndex.build(proposal.taken, codes).locate_many(x[lost], y[lost])
    grids = list(now)
    for at, held in zip(lost.tolist(), was, strict=True):
        grids[at] = _unplaced(homes[at], held, proposal.closed)
    borders = [shapely.boundary(each) for each in proposal.given.values()]
    return Rebucketed(grids=tuple(grids), ambiguous=near_borders(borders, x, y, edge_m=edge_m))


def _unplaced(home: str, held: str | None, closed: frozenset[str]) -> str | None:
    """Where a place in no grid belongs: at home, if that did not lose it just now."""
    return None if home in closed or held is not None else home


def near_borders(
    borders: Sequence[BaseGeometry], lons: Numbers, lats: Numbers, *, edge_m: float
) -> NDArray[np.bool_]:
    """Tell for each position whether one of the lines is within `edge_m` metres.

    Measured on a plane around their middle: right to about 1 % within 100 km of it.
    """
    x, y = np.asarray(lons, np.float64), np.asarray(lats, np.float64)
    near = np.zeros(x.shape, dtype=bool)
    finite = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if not len(borders) or not len(finite):
        return near
    _, south, _, north = shapely.total_bounds(np.array(borders, dtype=object)).tolist()
    scale = np.array(metres_per_degree((south + north) / 2))
    points = shapely.points(np.stack([x[finite], y[finite]], axis=1) * scale)
    lines = shapely.transform(np.array(borders, dtype=object), lambda xy: xy * scale)
    shapely.prepare(lines)
    _, hits = STRtree(points).query(lines, predicate="dwithin", distance=edge_m)
    near[finite[hits]] = True
    return near
