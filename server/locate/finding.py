"""From measured positions to grids: geometry only, no store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from geo.certainty import shares
from geo.datum import to_wgs84_many
from geo.history import GridHistory
from geo.locate import ACCURACY_M_MAX, Disc, GridIndex, Location
from geo.measure import degrees_reaching
from server.grids.schemas import Place
from server.problems import InvalidBody

# What ten thousand positions that all reach forty grids would measure: under a second of one
# core. Fixes of a phone reach one or two.
DISTANCES_MAX = 400_000
_WHOLE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A position in WGS 84, the grids it may lie in, and the part of the disc in each."""

    disc: Disc
    location: Location
    shares: Mapping[str, float]


def find_all(index: GridIndex, places: Sequence[Place]) -> list[Found]:
    """Locate positions, in order.

    Raises:
        InvalidBody: if their circles reach more than `DISTANCES_MAX` boundaries in all.
    """
    return _find(index, _discs(places))


def find_all_at(history: GridHistory, as_of_ms: int, places: Sequence[Place]) -> list[Found]:
    """Like `find_all`, among the grids as they were at a moment."""
    discs = _discs(places)
    return _find(history.index_at(as_of_ms, _reached(discs)), discs)


def _find(index: GridIndex, discs: Sequence[Disc]) -> list[Found]:
    # A single disc is cut to 2 km and may reach what it likes.
    if len(discs) > 1 and index.reach(discs) > DISTANCES_MAX:
        reason = "these circles reach too many grids; send fewer positions at a time"
        raise InvalidBody.at("/points", reason)
    located = [index.locate(disc.lon, disc.lat, disc.accuracy_m) for disc in discs]
    doubtful = [number for number, each in enumerate(located) if _is_doubtful(each)]
    counted = shares(index, [discs[number] for number in doubtful])
    known = dict(zip(doubtful, counted, strict=True))
    return [
        Found(disc=disc, location=each, shares=known.get(number) or _undivided(each))
        for number, (disc, each) in enumerate(zip(discs, located, strict=True))
    ]


def _reached(discs: Sequence[Disc]) -> tuple[float, float, float, float]:
    """The bounds of discs, each as wide as the worst accuracy that is looked at."""
    lons, lats = [disc.lon for disc in discs], [disc.lat for disc in discs]
    lon, lat = degrees_reaching(ACCURACY_M_MAX * 1.01, max(map(abs, lats)))
    return min(lons) - lon, min(lats) - lat, max(lons) + lon, max(lats) + lat


def _is_doubtful(location: Location) -> bool:
    return bool(location.candidates) and not location.certain


def _undivided(location: Location) -> Mapping[str, float]:
    """The shares of a disc that lies in one grid or in none."""
    return {each.grid: _WHOLE for each in location} if location.certain else {}


def _discs(places: Sequence[Place]) -> list[Disc]:
    """The positions in WGS 84, each converted once from the datum it names."""
    lonlat = np.array([(place.lon, place.lat) for place in places])
    datums = np.array([place.datum for place in places])
    for datum in set(datums.tolist()):
        chosen = datums == datum
        lons, lats = lonlat[chosen, 0], lonlat[chosen, 1]
        lonlat[chosen] = np.transpose(to_wgs84_many(lons, lats, datum))
    return [
        Disc(lon, lat, place.accuracy_m)
        for (lon, lat), place in zip(lonlat.tolist(), places, strict=True)
    ]
