"""Lengths and areas on the WGS 84 ellipsoid, from degrees to metres and back."""

import math
from typing import Final

import numpy as np
import shapely
from pyproj import Geod
from shapely.geometry.base import BaseGeometry

_GEOD: Final = Geod(ellps="WGS84")
_SEMI_MAJOR_M: Final = 6378137.0
_ECCENTRICITY_2: Final = 0.0066943799901413165

# About a kilometre. Below it the geodesic sum loses its digits; above it the plane does.
_SMALL_DEGREES: Final = 0.01


def area_m2(geometry: BaseGeometry) -> float:
    """Return the area of a polygon or multipolygon in m2, whatever its ring order.

    Holes are taken out. Anything without an interior has area 0. Parts up to `_SMALL_DEGREES`
    are measured on the plane that touches the ellipsoid at their centre (right to 1e-5 of the
    area, however small), larger ones as geodesic polygons.
    """
    parts = shapely.get_parts(geometry)
    return math.fsum(_polygon_m2(part) for part in parts if part.geom_type == "Polygon")


def _polygon_m2(polygon: BaseGeometry) -> float:
    if polygon.is_empty:
        return 0.0
    west, south, east, north = polygon.bounds
    if max(east - west, north - south) > _SMALL_DEGREES:
        return abs(float(_GEOD.geometry_area_perimeter(shapely.orient_polygons(polygon))[0]))
    lon, lat = (west + east) / 2, (south + north) / 2
    lon_m, lat_m = metres_per_degree(lat)
    around_zero = shapely.transform(polygon, lambda xy: xy - np.array([lon, lat]))
    return float(shapely.area(around_zero)) * lon_m * lat_m


def metres_per_degree(lat: float) -> tuple[float, float]:
    """Return how many metres one degree of longitude, and one of latitude, are at `lat`."""
    phi = math.radians(lat)
    flat = 1.0 - _ECCENTRICITY_2 * math.sin(phi) ** 2
    degree = _SEMI_MAJOR_M * math.pi / 180.0
    lat_m = degree * (1.0 - _ECCENTRICITY_2) / flat**1.5
    lon_m = degree * math.cos(phi) / math.sqrt(flat)
    return lon_m, lat_m


def degrees_reaching(distance_m: float, lat: float) -> tuple[float, float]:
    """Return how many degrees of longitude and of latitude `distance_m` spans at `lat`.

    At the poles a degree of longitude has no length; there the answer is capped at 360.
    """
    lon_m, lat_m = metres_per_degree(lat)
    return min(360.0, distance_m / max(lon_m, 1e-9)), distance_m / lat_m


def distance_m(lon_a: float, lat_a: float, lon_b: float, lat_b: float) -> float:
    """Return the geodesic distance of two positions in metres."""
    _, _, distance = _GEOD.inv(lon_a, lat_a, lon_b, lat_b)
    return float(distance)
