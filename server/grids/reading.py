"""From rows of grids to GeoJSON, and from a position to the grids it may lie in."""

from collections.abc import Sequence
from itertools import chain

from sqlalchemy import Connection

from geo.datum import to_wgs84
from geo.locate import Location
from server.areas.scope import Scope
from server.grids.queries import GridRow, grids_named
from server.grids.schemas import CandidateBody, LocatedBody, Place
from server.layers.features import feature_text, geometry_texts
from server.replication.locating import published
from sync.rfc3339 import format_wall

_DEGREE_DIGITS = 7
_METRE_DIGITS = 2


def grid_features(rows: Sequence[GridRow]) -> list[str]:
    """Return one GeoJSON Feature a row, in order."""
    shapes = geometry_texts([row.wkb for row in rows])
    return [
        feature_text(
            row.id,
            shape,
            {
                "code": row.code,
                "name": row.name,
                "community": row.community_id,
                "area_m2": row.area_m2,
                "valid_from": (
                    None if row.valid_from_ms is None else format_wall(row.valid_from_ms)
                ),
                "rev": row.rev,
            },
        )
        for row, shape in zip(rows, shapes, strict=True)
    ]


def located_in(db: Connection, scope: Scope, places: Sequence[Place]) -> list[LocatedBody]:
    """Locate positions among all grids and tell those in `scope`, in the order asked."""
    index = published(db).index
    converted = [to_wgs84(place.lon, place.lat, place.datum) for place in places]
    found = [
        index.locate(lon, lat, place.accuracy_m)
        for place, (lon, lat) in zip(places, converted, strict=True)
    ]
    ids = {each.grid for each in chain.from_iterable(one.candidates for one in found)}
    known = grids_named(db, scope, sorted(ids)) if ids else {}
    return [
        _located(lon, lat, location, known)
        for (lon, lat), location in zip(converted, found, strict=True)
    ]


def _located(
    lon: float, lat: float, location: Location, known: dict[str, GridRow]
) -> LocatedBody:
    seen = [each for each in location.candidates if each.grid in known]
    candidates = [
        CandidateBody(
            grid=each.grid,
            code=known[each.grid].code,
            name=known[each.grid].name,
            inside=each.inside,
            distance_to_edge_m=round(each.distance_to_edge_m, _METRE_DIGITS),
        )
        for each in seen
    ]
    return LocatedBody(
        lon=round(lon, _DEGREE_DIGITS),
        lat=round(lat, _DEGREE_DIGITS),
        grid=candidates[0].grid if candidates and candidates[0].inside else None,
        # A candidate you may not see still makes the place uncertain.
        certain=location.certain and bool(candidates),
        distance_to_edge_m=candidates[0].distance_to_edge_m if candidates else None,
        candidates=candidates,
    )
