"""Is a position labelled with the wrong datum? A guess, for a person to judge.

A map client that hands out BD-09 and calls it WGS 84 is 950 to 1,400 m off, one that hands out
GCJ-02 up to 700 m. Who works in grids of a hundred metres then seems to stand some streets
beside all of them, always in the same direction, and stands in them once the position is
converted from what it really is. Whoever truly stood there is asked about once in a while too:
that is why nothing is converted without a person.
"""

import math
from collections.abc import Callable
from typing import Final

from geo.datum import Datum, to_wgs84

OFFSET_M_MIN: Final = 100.0
OFFSET_M_MAX: Final = 1_500.0
_TRIED: Final = (Datum.WGS84, Datum.GCJ02, Datum.BD09)
_SAME: Final = frozenset({Datum.WGS84, Datum.CGCS2000})

Distance = Callable[[float, float], float]
"""Metres from a WGS 84 position to the nearest ground of its author, 0 in it.

Farther than `OFFSET_M_MAX` may be infinity.
"""


def proposed_datum(
    lon: float, lat: float, label: Datum | str, distance_m: Distance
) -> Datum | None:
    """Return the datum that a position is probably in instead of `label`, None for the label.

    Only if the position, converted from its label, lies `OFFSET_M_MIN` to `OFFSET_M_MAX` metres
    beside the ground of its author, and lies in it when converted from the other datum. Of
    several, the one named first by "wgs84, gcj02, bd09".

    Raises:
        ValueError: if `label` is no datum.
    """
    labelled = Datum(label)
    beside_m = distance_m(*to_wgs84(lon, lat, labelled))
    if not (math.isfinite(beside_m) and OFFSET_M_MIN <= beside_m <= OFFSET_M_MAX):
        return None
    others = (each for each in _TRIED if each is not labelled and {each, labelled} != _SAME)
    return next((each for each in others if distance_m(*to_wgs84(lon, lat, each)) == 0.0), None)
