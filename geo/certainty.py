"""How likely is each grid a measured position may lie in?

A device reports a radius, not the shape of its doubt, so every part of the disc counts the same
and the share of a grid is its part of the disc's area. It is counted on `SAMPLES` points that
are spread evenly over the disc, each of which lies in one grid by the tie rule of `geo.locate`:
the shares of one disc never sum to more than 1 even where grids overlap, and a disc costs the
same whatever it touches.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from geo.locate import ACCURACY_M_MAX, Disc, GridIndex
from geo.measure import degrees_reaching

# A share is a whole number of hundredths; against the area itself it is right to about 0.05.
SAMPLES: Final = 100
_DISCS_AT_ONCE: Final = 500
_GOLDEN_ANGLE: Final = math.pi * (3.0 - math.sqrt(5.0))


def shares(index: GridIndex, discs: Sequence[Disc]) -> list[Mapping[str, float]]:
    """Return for every disc the part (0 to 1) of its area in each grid that holds any.

    A disc is cut to `ACCURACY_M_MAX`. One of radius 0 lies wholly in the grid that holds its
    centre, the lowest code on a shared edge. What is missing from 1 lies in no grid.
    """
    found: list[Mapping[str, float]] = []
    for start in range(0, len(discs), _DISCS_AT_ONCE):
        found += _shares(index, discs[start : start + _DISCS_AT_ONCE])
    return found


def _shares(index: GridIndex, discs: Sequence[Disc]) -> list[Mapping[str, float]]:
    centres = np.array([(disc.lon, disc.lat) for disc in discs])
    reaches = np.array(
        [degrees_reaching(min(disc.accuracy_m, ACCURACY_M_MAX), disc.lat) for disc in discs]
    )
    places = centres[:, None, :] + reaches[:, None, :] * _UNIT_DISC
    grids = index.locate_many(places[..., 0].ravel(), places[..., 1].ravel())
    return [
        {
            grid: count / SAMPLES
            for grid, count in Counter(grids[start : start + SAMPLES]).items()
            if grid is not None
        }
        for start in range(0, len(grids), SAMPLES)
    ]


def _unit_disc() -> NDArray[np.float64]:
    """Points of equal weight: a sunflower, each turned by the golden angle and further out."""
    number = np.arange(SAMPLES)
    radius = np.sqrt((number + 0.5) / SAMPLES)
    angle = number * _GOLDEN_ANGLE
    return np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=-1)


_UNIT_DISC: Final = _unit_disc()
