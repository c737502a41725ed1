"""A set of edits of boundaries, put upon the boundaries in force.

An edit takes grids and gives grids: create (none, one), redraw (one, the same), split (one,
several new), merge (several, one new), retire (one, none). A grid is named by one edit only, so
the order of the edits does not matter.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import shapely
from shapely.geometry.base import BaseGeometry

from geo.errors import GeoError
from geo.polygon import normal_boundary


class EditKind(StrEnum):
    """What an edit does with the grids it names."""

    CREATE = "create"
    REDRAW = "redraw"
    SPLIT = "split"
    MERGE = "merge"
    RETIRE = "retire"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One edit: the ids of the grids it takes, and what it gives by id.

    A boundary that is None is the ground of the grids it takes (a merger).
    """

    kind: EditKind
    takes: tuple[str, ...]
    gives: Mapping[str, BaseGeometry | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What the boundaries would be: `after` all of them, by id.

    `taken` is what the edits take, as it was; `given` what they give, as it would be. A grid
    that is redrawn is in both, one that is taken and not given is closed.
    """

    after: Mapping[str, BaseGeometry]
    taken: Mapping[str, BaseGeometry]
    given: Mapping[str, BaseGeometry]
    retired: frozenset[str]

    @property
    def closed(self) -> frozenset[str]:
        """The grids that would be no more."""
        return frozenset(self.taken.keys() - self.given.keys())


def propose(current: Mapping[str, BaseGeometry], edits: Sequence[Edit]) -> Proposal:
    """Put edits upon the boundaries in force (valid, WGS 84 degrees, by id).

    Raises:
        GeoError: with the pointer of the edit (`/edits/<index>`): `unknown-grid` for one that
            is not in force, `named-twice` for one that several edits take or give,
            `already-there` for a new one whose id is in force.
    """
    taken: dict[str, BaseGeometry] = {}
    given: dict[str, BaseGeometry] = {}
    for index, edit in enumerate(edits):
        pointer = f"/edits/{index}"
        for grid in edit.takes:
            if grid not in current:
                raise GeoError(pointer, "unknown-grid", "Names a grid that is not in force")
            if grid in taken:
                raise GeoError(pointer, "named-twice", "A grid is named by two edits")
            taken[grid] = current[grid]
        for grid, boundary in edit.gives.items():
            if grid in given:
                raise GeoError(pointer, "named-twice", "A grid is named by two edits")
            if grid in current and grid not in edit.takes:
                raise GeoError(pointer, "already-there", "A new grid has the id of another")
            given[grid] = _united(edit.takes, current) if boundary is None else boundary
    rest = {grid: each for grid, each in current.items() if grid not in taken}
    return Proposal(
        after=rest | given,
        taken=taken,
        given=given,
        retired=frozenset(_retired(edits)),
    )


def _united(grids: Iterable[str], current: Mapping[str, BaseGeometry]) -> BaseGeometry:
    """The ground of several grids, in the form in which boundaries are stored."""
    return normal_boundary(shapely.union_all([current[grid] for grid in grids]))


def _retired(edits: Iterable[Edit]) -> Iterable[str]:
    return (grid for each in edits if each.kind is EditKind.RETIRE for grid in each.takes)
