"""Codes of areas, grids and components: layouts are configuration, not rules in code.

A layout says of which runs of digits a code consists. Sources: the 12-digit statistical area
code of the National Bureau of Statistics (2+2+2+3+3; 6 = county, GB/T 2260); the 15-digit unit
grid code of urban management (county, street, community, sequence); the 16-digit component code
(area, class, subclass, sequence); the 20-digit community grid code of CJ/T 349-2010 (service
object, county, street, community, sequence). Localities differ, so a deployment may add
layouts.

Codes are text: leading zeros count, and four real codes are used twice once padded, so no code
is ever the key of anything.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from types import MappingProxyType
from typing import Final

import shapely
from shapely.geometry.base import BaseGeometry

from geo.errors import GeoError
from geo.polygon import SNAP_PER_DEGREE

DIGITS: Final = frozenset("0123456789")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A run of digits with a meaning, and the numbers it may hold."""

    name: str
    digits: int
    lowest: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Of which segments a code consists, left to right."""

    name: str
    segments: tuple[Segment, ...]

    @property
    def length(self) -> int:
        """How many digits a code of this layout has."""
        return sum(segment.digits for segment in self.segments)


def _layout(name: str, *segments: tuple[str, int] | tuple[str, int, int]) -> Layout:
    return Layout(
        name=name,
        segments=tuple(
            Segment(name=each[0], digits=each[1], lowest=each[2] if len(each) == 3 else 0)
            for each in segments
        ),
    )


COUNTY: Final = _layout("county", ("province", 2, 11), ("city", 2), ("county", 2))
STREET: Final = _layout("street", ("county", 6, 110000), ("street", 3))
STATISTICAL: Final = _layout(
    "statistical",
    ("province", 2, 11),
    ("city", 2),
    ("county", 2),
    ("street", 3),
    ("community", 3),
)
UNIT_GRID: Final = _layout(
    "unit-grid", ("county", 6, 110000), ("street", 3), ("community", 3), ("sequence", 3, 1)
)
COMPONENT: Final = _layout(
    "component", ("area", 6, 110000), ("class", 2, 1), ("subclass", 2, 1), ("sequence", 6, 1)
)
COMMUNITY_GRID: Final = _layout(
    "community-grid",
    ("object", 6),
    ("county", 6, 110000),
    ("street", 3),
    ("community", 3),
    ("sequence", 2),
)

LAYOUTS: Final[Mapping[str, Layout]] = MappingProxyType(
    {
        each.name: each
        for each in (COUNTY, STREET, STATISTICAL, UNIT_GRID, COMPONENT, COMMUNITY_GRID)
    }
)


def check_code(layout: Layout, code: str, pointer: str = "") -> None:
    """Check that `code` is written in `layout`; whether the place exists is not asked.

    Raises:
        GeoError: `code-not-digits` (only 0 to 9 count, not full-width digits),
            `code-wrong-length`, or `code-segment-out-of-range`.
    """
    if not DIGITS.issuperset(code):
        raise GeoError(pointer, "code-not-digits", "A code consists of the digits 0 to 9")
    if len(code) != layout.length:
        text = f"A {layout.name} code has {layout.length} digits"
        raise GeoError(pointer, "code-wrong-length", text)
    for segment, digits in _runs(layout, code):
        if int(digits) < segment.lowest:
            text = f"The {segment.name} segment starts at {segment.lowest}"
            raise GeoError(pointer, "code-segment-out-of-range", text)


def split_code(layout: Layout, code: str, pointer: str = "") -> dict[str, str]:
    """Return the segments of a code by name, as text.

    Raises:
        GeoError: see `check_code`.
    """
    check_code(layout, code, pointer)
    return {segment.name: digits for segment, digits in _runs(layout, code)}


def layout_of(code: str, layouts: Iterable[Layout] = tuple(LAYOUTS.values())) -> Layout | None:
    """Return the one layout a code is written in; None if none or several fit."""
    fitting = [layout for layout in layouts if _fits(layout, code)]
    return fitting[0] if len(fitting) == 1 else None


def _fits(layout: Layout, code: str) -> bool:
    try:
        check_code(layout, code)
    except GeoError:
        return False
    return True


def _runs(layout: Layout, code: str) -> list[tuple[Segment, str]]:
    start, runs = 0, []
    for segment in layout.segments:
        runs.append((segment, code[start : start + segment.digits]))
        start += segment.digits
    return runs


def number_cells(
    prefix: str,
    cells: Mapping[str, BaseGeometry],
    *,
    layout: Layout = UNIT_GRID,
    first: int = 1,
) -> dict[str, str]:
    """Return a code for every cell of one community: west to east, then north to south.

    The cells are read like a page: rows from north to south, in a row from west to east. A row
    holds the cells whose centre is less than half a usual cell height below its first one. The
    answer depends on the geometries alone, not on the order of `cells`; equal centres go by id.

    Args:
        prefix: all of the code but the last segment of the layout.
        cells: the polygons by id.
        layout: the layout of the codes; its last segment is the sequence.
        first: the first number to give, for a community that has used numbers before.

    Raises:
        GeoError: `sequence-exhausted`, or what `check_code` says of prefix and number.
    """
    sequence = layout.segments[-1]
    last = first + len(cells) - 1
    if last >= 10**sequence.digits:
        text = f"The community needs more than {sequence.digits} digits of sequence"
        raise GeoError("", "sequence-exhausted", text)
    codes = {
        cell: f"{prefix}{number:0{sequence.digits}d}"
        for number, cell in enumerate(_reading_order(cells), start=first)
    }
    for code in codes.values():
        check_code(layout, code)
    return codes


def _reading_order(cells: Mapping[str, BaseGeometry]) -> list[str]:
    if not cells:
        return []
    centres = {cell: _centre(geometry) for cell, geometry in cells.items()}
    heights = [geometry.bounds[3] - geometry.bounds[1] for geometry in cells.values()]
    half_row = math.ceil(median(heights) * SNAP_PER_DEGREE / 2)
    southward = sorted(cells, key=lambda cell: (-centres[cell][1], centres[cell][0], cell))
    rows: list[list[str]] = []
    for cell in southward:
        if rows and centres[rows[-1][0]][1] - centres[cell][1] < half_row:
            rows[-1].append(cell)
        else:
            rows.append([cell])
    return [cell for row in rows for cell in sorted(row, key=lambda c: (*centres[c], c))]


def _centre(geometry: BaseGeometry) -> tuple[int, int]:
    """The centroid in whole 1e-7 degrees, so that rounding noise cannot change an order."""
    centroid: Sequence[float] = shapely.get_coordinates(shapely.centroid(geometry))[0]
    return round(centroid[0] * SNAP_PER_DEGREE), round(centroid[1] * SNAP_PER_DEGREE)
