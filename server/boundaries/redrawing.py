"""Grids of a file beside the grids in force: what would have to change. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import shapely
from shapely.geometry.base import BaseGeometry

from server.imports.gridcells import Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A grid in force in one of the communities that a file is about."""

    id: str
    code: str
    name: str
    community: str
    boundary: BaseGeometry


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What sets a file apart from the grids in force.

    `created` are cells without a grid, `redrawn` pairs of a grid's id and its new cell,
    `retired` ids of grids that the file does not have; `moved` are rows of cells whose grid
    belongs to another community, which no edit can change.
    """

    created: tuple[Cell, ...]
    redrawn: tuple[tuple[str, Cell], ...]
    retired: tuple[str, ...]
    moved: tuple[int, ...]
    unchanged: int
    names_kept: int

    @property
    def edits(self) -> int:
        """How many edits it takes."""
        return len(self.created) + len(self.redrawn) + len(self.retired)


def difference(
    cells: Sequence[Cell],
    standing: Sequence[Standing],
    communities: Mapping[str, str],
    *,
    retire: bool,
) -> Difference:
    """Compare the cells of a file with all grids of their communities, by code.

    Args:
        cells: of the file, each code once.
        standing: every grid in force in the communities of `cells`.
        communities: the id of each community by the name that cells use.
        retire: whether a grid that the file does not have is to be no more.
    """
    by_code = {each.code: each for each in standing}
    known = [(cell, by_code[cell.code]) for cell in cells if cell.code in by_code]
    redrawn = tuple(
        (grid.id, cell)
        for cell, grid in known
        if not shapely.equals_identical(cell.boundary, grid.boundary)
    )
    named = {cell.code for cell in cells}
    return Difference(
        created=tuple(cell for cell in cells if cell.code not in by_code),
        redrawn=redrawn,
        retired=tuple(each.id for each in standing if retire and each.code not in named),
        moved=tuple(
            cell.row for cell, grid in known if communities[cell.community] != grid.community
        ),
        unchanged=len(known) - len(redrawn),
        names_kept=sum(cell.name not in {grid.name, cell.code} for cell, grid in known),
    )
