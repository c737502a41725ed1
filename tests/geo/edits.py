"""Strategies: edits of a lattice that a careful person would draw, all at once."""

import shapely
from hypothesis import strategies as st
from shapely.geometry.base import BaseGeometry
from shapely.ops import split as cut

from geo.changes import Edit, EditKind
from geo.polygon import normal_boundary
from tests.geo.shapes import Lattice, lattices


def halves(cell: shapely.Polygon) -> list[BaseGeometry]:
    """A cell cut along a diagonal, so that no neighbour gets a vertex it does not have."""
    ring = shapely.get_coordinates(cell)
    # One diagonal of a quadrilateral whose corners moved a little always lies inside.
    for start, end in ((0, 2), (1, 3)):
        line = shapely.LineString([ring[start], ring[end]])
        parts = [each for each in cut(cell, line).geoms if each.area > 0]
        if len(parts) == 2:
            return parts
    raise AssertionError("a lattice cell has a diagonal inside")


def split_of(code: str, cell: shapely.Polygon) -> Edit:
    first, second = (normal_boundary(each) for each in halves(cell))
    return Edit(
        kind=EditKind.SPLIT, takes=(code,), gives={f"{code}-a": first, f"{code}-b": second}
    )


def merger_of(lattice: Lattice, column: int, row: int) -> Edit:
    """A cell and its neighbour in the next column become one."""
    takes = (lattice.code(column, row), lattice.code(column + 1, row))
    return Edit(kind=EditKind.MERGE, takes=takes, gives={f"{takes[0]}-m": None})


def border_of(lattice: Lattice, column: int, row: int) -> list[Edit]:
    """One half of a cell goes to its neighbour, wherever the two still touch."""
    here, there = lattice.code(column, row), lattice.code(column + 1, row)
    cells = lattice.cells
    first, second = halves(cells[here])
    edge = shapely.intersection(cells[here], cells[there])
    gone = max((first, second), key=lambda each: shapely.intersection(each, edge).length)
    kept = second if gone is first else first
    return [
        Edit(kind=EditKind.REDRAW, takes=(here,), gives={here: normal_boundary(kept)}),
        Edit(
            kind=EditKind.REDRAW,
            takes=(there,),
            gives={there: normal_boundary(shapely.union_all([cells[there], gone]))},
        ),
    ]


@st.composite
def edited_lattices(draw):
    """A lattice and a set of edits that keep it a coverage, no cell in two of them."""
    lattice = draw(lattices())
    edits: list[Edit] = []
    for row in range(lattice.rows):
        column = 0
        while column < lattice.columns:
            kind = draw(st.sampled_from(["nothing", "split", "merge", "border"]))
            if kind in {"merge", "border"} and column + 1 < lattice.columns:
                made = merger_of(lattice, column, row), *border_of(lattice, column, row)
                edits += made[:1] if kind == "merge" else made[1:]
                column += 1
            elif kind == "split":
                edits.append(split_of(lattice.code(column, row), lattice.cell(column, row)))
            column += 1
    return lattice, draw(st.permutations(edits))
