"""The `bbox` parameter."""

import math

import shapely
from shapely.geometry.base import BaseGeometry

from server.problems import InvalidParameter

Bounds = tuple[float, float, float, float]
BBOX_CHARS_MAX = 200


def _refused(reason: str) -> InvalidParameter:
    return InvalidParameter(f"bbox: {reason}", parameter="bbox")


def parse_bbox(text: str, *, degrees: bool = True) -> Bounds:
    """Return `minx,miny,maxx,maxy`; in degrees they must lie in the world.

    Raises:
        InvalidParameter: if these are not four finite numbers in order. A box across the
            antimeridian is refused: no deployment lies there.
    """
    parts = text.split(",")
    if len(parts) != 4:
        raise _refused("needs four numbers, minx,miny,maxx,maxy")
    try:
        minx, miny, maxx, maxy = (float(part) for part in parts)
    except ValueError:
        raise _refused("needs four numbers, minx,miny,maxx,maxy") from None
    if not all(math.isfinite(each) for each in (minx, miny, maxx, maxy)):
        raise _refused("needs finite numbers")
    if minx > maxx or miny > maxy:
        raise _refused("needs each minimum before its maximum")
    if degrees and not (minx >= -180 and maxx <= 180 and miny >= -90 and maxy <= 90):
        raise _refused("lies outside longitude -180 to 180 or latitude -90 to 90")
    return (minx, miny, maxx, maxy)


def shape_of(bounds: Bounds) -> BaseGeometry:
    """Return the box as a geometry; without width or height it is a line or a point."""
    minx, miny, maxx, maxy = bounds
    return shapely.envelope(shapely.MultiPoint([(minx, miny), (maxx, maxy)]))
