"""Lengths and areas on the WGS 84 ellipsoid, from degrees to metres and back."""

import math
from typing import Final

import shapely
from pyproj import Geod
from shapely.geometry.base import BaseGeometry

_GEOD: Final = Geod(ellps="WGS84")
_SEMI_MAJOR_M: Final = 6378137.0
_ECCENTRICITY_2: Final = 0.0066943799901413165


def area_m2(geometry: BaseGeometry) -> float:
    """Return the geodesic area of a polygon or multipolygon in m2, whatever its ring order.

    The edges are geodesics (straight on the ground), and holes are taken out. Anything without
    an interior has area 0. The result is exact to about 1e-3 m2 for a city.
    """
    total = 0.0
    for polygon in shapely.get_parts(shapely.orient_polygons(geometry)):
        if polygon.geom_type == "Polygon":
            total += _GEOD.geometry_area_perimeter(polygon)[0]
    return total


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
