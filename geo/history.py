"""Boundaries in time: which grid held a place at a moment.

A version of a grid is valid in `[from, to)`, both in milliseconds UTC; without an end it still
is. Versions of one grid never overlap, so a place and a moment have one answer, by the same
rule as `geo.locate`: where several grids touch the place, the lowest code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from geo.locate import GridIndex

_FOREVER: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One state of a grid and when it held: `[from_ms, to_ms)`, None for no end."""

    grid: str
    code: str
    from_ms: int
    to_ms: int | None


def start_of(now_ms: int, stated_ms: int | None) -> int:
    """Return when the first version of a grid begins: as stated, but not in the future."""
    return now_ms if stated_ms is None else min(stated_ms, now_ms)


def end_of(now_ms: int, from_ms: int) -> int:
    """Return when a version that began at `from_ms` ends if it ends now.

    It held for a millisecond at least, whatever the clock says: no version is empty.
    """
    return max(now_ms, from_ms + 1)


class GridHistory:
    """An immutable index of every version there ever was. Safe to read from many threads."""

    __slots__ = ("_from_ms", "_polygons", "_to_ms", "_tree", "_versions")

    def __init__(self, versions: Sequence[Version], shapes: Sequence[BaseGeometry]) -> None:
        """Index versions with their polygons (WGS 84 degrees), one each, in any order."""
        ranked = sorted(
            range(len(versions)), key=lambda at: (versions[at].code, versions[at].grid)
        )
        self._versions = tuple(versions[at] for at in ranked)
        polygons = np.array([shapes[at] for at in ranked], dtype=object)
        shapely.prepare(polygons)
        self._polygons, self._tree = polygons, STRtree(polygons)
        self._from_ms = np.array([each.from_ms for each in self._versions], dtype=np.int64)
        self._to_ms = np.array(
            [_FOREVER if each.to_ms is None else each.to_ms for each in self._versions],
            dtype=np.int64,
        )

    def __len__(self) -> int:
        """How many versions are indexed."""
        return len(self._versions)

    def at(
        self,
        lons: Sequence[float] | NDArray[np.float64],
        lats: Sequence[float] | NDArray[np.float64],
        at_ms: Sequence[int] | NDArray[np.int64],
    ) -> list[Version | None]:
        """Return for each position and moment the version that held it then, or None.

        Positions are WGS 84 degrees; one that is not finite was in no grid.
        """
        x, y = np.asarray(lons, np.float64), np.asarray(lats, np.float64)
        moments = np.asarray(at_ms, np.int64)
        finite = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        hits: NDArray[np.int64] = self._tree.query(
            shapely.points(x[finite], y[finite]), predicate="intersects"
        )
        place, version = finite[hits[0]], hits[1]
        then = moments[place]
        held = (self._from_ms[version] <= then) & (then < self._to_ms[version])
        first: NDArray[np.int64] = np.full(x.shape, len(self._versions), dtype=np.int64)
        np.minimum.at(first, place[held], version[held])
        found: list[Version | None] = [*self._versions, None]
        return [found[index] for index in first.tolist()]

    def index_at(self, at_ms: int, bounds: tuple[float, float, float, float]) -> GridIndex:
        """Return an index of the grids near `bounds` (WGS 84 degrees) as they were then."""
        near: NDArray[np.int64] = np.asarray(self._tree.query(shapely.box(*bounds)), np.int64)
        then = near[(self._from_ms[near] <= at_ms) & (at_ms < self._to_ms[near])]
        return GridIndex.build(
            {self._versions[each].grid: self._polygons[each] for each in then.tolist()},
            {self._versions[each].grid: self._versions[each].code for each in then.tolist()},
        )
