"""Where ground came from: how much of each grid before went to each grid afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from geo.measure import area_m2
from geo.polygon import polygonal

PPM: Final = 1_000_000
AREA_M2_LEAST: Final = 1.0
"""Less common ground than this is where two borders were drawn a hair apart: no lineage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Common ground of a grid before (`parent`) and one afterwards (`child`).

    Both shares are parts in a million, of the parent's and of the child's own area.
    """

    parent: str
    child: str
    area_m2: float
    parent_ppm: int
    child_ppm: int


def shares(
    before: Mapping[str, BaseGeometry], after: Mapping[str, BaseGeometry]
) -> tuple[Share, ...]:
    """Return the common ground of every pair, by parent, then child.

    Polygons are valid and in WGS 84 degrees. Pairs that only touch, or share less than
    `AREA_M2_LEAST`, are left out.
    """
    if not before or not after:
        return ()
    parents, children = sorted(before), sorted(after)
    was = np.array([before[each] for each in parents], dtype=object)
    now = np.array([after[each] for each in children], dtype=object)
    was_m2, now_m2 = [area_m2(each) for each in was], [area_m2(each) for each in now]
    found = []
    for parent, child in np.transpose(STRtree(now).query(was, predicate="intersects")).tolist():
        common = area_m2(polygonal(shapely.intersection(was[parent], now[child])))
        if common >= AREA_M2_LEAST:
            found.append(
                Share(
                    parent=parents[parent],
                    child=children[child],
                    area_m2=common,
                    parent_ppm=_ppm(common, was_m2[parent]),
                    child_ppm=_ppm(common, now_m2[child]),
                )
            )
    return tuple(sorted(found, key=lambda each: (each.parent, each.child)))


def _ppm(part: float, whole: float) -> int:
    return min(PPM, round(PPM * part / whole))
