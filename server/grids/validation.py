"""Check a GeoJSON document without storing anything."""

from collections import Counter

import shapely

from geo.errors import GeoError
from geo.geojson import IMPORT_LIMITS, parse_geojson
from server.grids.schemas import ValidationBody
from server.problems import InvalidBody


def unacceptable(fault: GeoError, pointer: str = "") -> InvalidBody:
    """Return the problem of a refused document: where in it, why, and where on earth.

    `pointer` says where in the body the document stands.
    """
    place = f"{pointer}{fault.pointer}"
    problem = InvalidBody.at(place, fault.detail)
    told = problem.extensions["errors"][0]
    told["code"] = fault.reason
    if fault.position is not None:
        told["position"] = [fault.position.lon, fault.position.lat]
    return problem


def validate_geojson(document: object) -> ValidationBody:
    """Return what an acceptable document holds.

    Raises:
        InvalidBody: for the first fault, with pointer, reason, permanent code and position.
    """
    try:
        parsed = parse_geojson(document, limits=IMPORT_LIMITS)
    except GeoError as fault:
        raise unacceptable(fault) from None
    shapes = [each.geometry for each in parsed.features if each.geometry is not None]
    bounds = shapely.total_bounds(shapes).tolist() if shapes else []
    known = bool(bounds) and bounds[0] <= bounds[2]
    return ValidationBody(
        type=parsed.kind,
        features=len(parsed.features),
        geometry_types=dict(Counter(each.geom_type for each in shapes)),
        vertices=int(shapely.get_num_coordinates(shapes).sum()) if shapes else 0,
        bbox=bounds if known else None,
        notes=sorted(parsed.notes),
    )
