"""From rows of grids to GeoJSON, and from a position to the grids it may lie in."""

import json
from collections.abc import Sequence
from itertools import chain

from sqlalchemy import Connection

from geo.datum import to_wgs84
from geo.lineage import PPM
from geo.locate import ACCURACY_M_MAX, Location
from geo.measure import degrees_reaching
from server.areas.scope import Scope
from server.grids.queries import (
    GridRow,
    grids_named,
    grids_named_at,
    lineage_of,
    versions_of,
)
from server.grids.schemas import (
    CandidateBody,
    GridHistoryBody,
    LineageBody,
    LocatedBody,
    Place,
    VersionBody,
)
from server.layers.features import feature_text, geometry_texts
from server.problems import NotFound
from server.replication.locating import published, remembered
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
                "valid_from": _time(row.valid_from_ms),
                "valid_to": _time(row.valid_to_ms),
                "rev": row.rev,
            },
        )
        for row, shape in zip(rows, shapes, strict=True)
    ]


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else format_wall(at_ms)


def located_in(
    db: Connection, scope: Scope, places: Sequence[Place], *, as_of_ms: int | None = None
) -> list[LocatedBody]:
    """Locate positions among all grids and tell those in `scope`, in the order asked.

    With `as_of_ms` among the grids as they were then.
    """
    converted = [to_wgs84(place.lon, place.lat, place.datum) for place in places]
    if as_of_ms is None:
        index = published(db).index
    else:
        index = remembered(db).index_at(as_of_ms, _reached(converted))
    found = [
        index.locate(lon, lat, place.accuracy_m)
        for place, (lon, lat) in zip(places, converted, strict=True)
    ]
    ids = sorted({each.grid for each in chain.from_iterable(one.candidates for one in found)})
    if as_of_ms is None:
        known = grids_named(db, scope, ids) if ids else {}
    else:
        known = grids_named_at(db, scope, ids, as_of_ms=as_of_ms)
    return [
        _located(lon, lat, location, known)
        for (lon, lat), location in zip(converted, found, strict=True)
    ]


def _reached(positions: Sequence[tuple[float, float]]) -> tuple[float, float, float, float]:
    """The bounds of positions, widened by the worst accuracy that is looked at."""
    lons, lats = zip(*positions, strict=True)
    lon, lat = degrees_reaching(ACCURACY_M_MAX * 1.01, max(map(abs, lats)))
    return min(lons) - lon, min(lats) - lat, max(lons) + lon, max(lats) + lat


def _version(row: GridRow, shape: str | None) -> VersionBody:
    return VersionBody(
        code=row.code,
        name=row.name,
        community=row.community_id,
        area_m2=row.area_m2,
        valid_from=format_wall(row.valid_from_ms),
        valid_to=_time(row.valid_to_ms),
        change=row.change_id,
        geometry=json.loads(shape or "null"),
    )


def history_of(db: Connection, scope: Scope, grid_id: str) -> GridHistoryBody:
    """Every version of a grid in scope, the newest first, and where its ground came from.

    Raises:
        NotFound: if no grid in scope ever had this id.
    """
    rows = versions_of(db, scope, grid_id)
    if not rows:
        raise NotFound
    shapes = geometry_texts([row.wkb for row in rows])
    return GridHistoryBody(
        id=grid_id,
        versions=[_version(row, shape) for row, shape in zip(rows, shapes, strict=True)],
        lineage=[
            LineageBody(
                change=row.change_id,
                parent=row.parent_id,
                child=row.child_id,
                at=format_wall(row.at_ms),
                area_m2=row.area_m2,
                share_of_parent=row.parent_ppm / PPM,
                share_of_child=row.child_ppm / PPM,
                households=row.households,
            )
            for row in lineage_of(db, grid_id)
        ],
    )


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
