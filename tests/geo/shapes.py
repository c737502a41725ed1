"""Strategies: coverages like real ones, and positions on, in and beside their cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from hypothesis import strategies as st
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

WEST, SOUTH = 121.5, 25.0
CELL = 0.002  # about 200 m
E7 = 10_000_000

Ring = list[tuple[float, float]]


@dataclass(frozen=True)
class Lattice:
    """A valid coverage of quadrilaterals whose nodes are moved at random, keyed by code."""

    columns: int
    rows: int
    nodes: np.ndarray

    def cell(self, column: int, row: int) -> Polygon:
        corners = ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))
        return Polygon([self.nodes[column + dx, row + dy] for dx, dy in corners])

    @property
    def cells(self) -> dict[str, Polygon]:
        return {
            self.code(column, row): self.cell(column, row)
            for column in range(self.columns)
            for row in range(self.rows)
        }

    @staticmethod
    def code(column: int, row: int) -> str:
        return f"{column:02}{row:02}"

    @property
    def parent(self) -> BaseGeometry:
        return shapely.coverage_union_all(list(self.cells.values()))


@st.composite
def lattices(draw, least=3, most=5):
    """Nodes move by at most a quarter of a cell, so that every cell stays valid."""
    columns, rows = draw(st.integers(least, most)), draw(st.integers(least, most))
    seed = draw(st.integers(0, 2**32 - 1))
    moves = np.random.default_rng(seed).integers(-5_000, 5_000, (columns + 1, rows + 1, 2))
    steps = np.stack(
        np.meshgrid(np.arange(columns + 1), np.arange(rows + 1), indexing="ij"), -1
    )
    nodes = np.rint((np.array([WEST, SOUTH]) + steps * CELL) * E7) + moves
    return Lattice(columns, rows, nodes / E7)


@st.composite
def positions(draw, lattice: Lattice):
    """A position on a node, in the middle of an edge, or anywhere in or around the lattice."""
    column = draw(st.integers(0, lattice.columns - 1))
    row = draw(st.integers(0, lattice.rows - 1))
    ring = np.asarray(lattice.cell(column, row).exterior.coords)
    corner = draw(st.integers(0, 3))
    kind = draw(st.sampled_from(["node", "edge", "anywhere"]))
    if kind == "node":
        return tuple(ring[corner].tolist())
    if kind == "edge":
        return tuple(((ring[corner] + ring[corner + 1]) / 2).tolist())
    east = draw(st.integers(-E7 // 500, (lattice.columns + 1) * E7 // 500))
    north = draw(st.integers(-E7 // 500, (lattice.rows + 1) * E7 // 500))
    return WEST + east / E7, SOUTH + north / E7


def brute_force(grids: Mapping[str, Polygon], lon: float, lat: float) -> str | None:
    """The lowest code among the grids that touch a position, by the plain predicate."""
    point = shapely.Point(lon, lat)
    return next((code for code in sorted(grids) if grids[code].intersects(point)), None)


@st.composite
def snapped_boundaries(draw):
    """Any multipolygon with coordinates on the 1e-7 grid, holes included, valid or not."""
    number = st.tuples(st.integers(-180 * E7, 180 * E7), st.integers(-90 * E7, 90 * E7))
    near = st.tuples(st.integers(121 * E7, 122 * E7), st.integers(25 * E7, 26 * E7))
    ring = st.one_of(
        st.lists(number, min_size=3, max_size=8), st.lists(near, min_size=3, max_size=30)
    )
    polygon = st.lists(ring, min_size=1, max_size=3)
    shapes = draw(st.lists(polygon, min_size=1, max_size=3))
    return MultiPolygon([Polygon(*_closed(rings)) for rings in shapes])


def _closed(rings: Sequence[Sequence[tuple[int, int]]]) -> tuple[Ring, list[Ring]]:
    exterior, *holes = ([(x / E7, y / E7) for x, y in (*ring, ring[0])] for ring in rings)
    return exterior, holes
