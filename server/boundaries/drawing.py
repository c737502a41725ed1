"""From the body of a draft to what is stored: names looked up, shapes read, none repaired."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection

from geo.areas import LEVEL_COMMUNITY
from geo.change_faults import Tolerance
from geo.changes import EditKind
from geo.errors import GeoError
from geo.geojson import IMPORT_LIMITS, POLYGONAL, Limits, parse_geojson
from geo.polygon import normal_boundary
from server.areas.scope import Scope
from server.boundaries import queries
from server.boundaries.content import Content, Given, StoredEdit
from server.boundaries.queries import AnyRow
from server.boundaries.schemas import (
    AnyEdit,
    ChangeDraft,
    CreateEdit,
    MergeEdit,
    NewGrid,
    NewName,
    RedrawEdit,
    RetireEdit,
    SplitEdit,
)
from server.grids.validation import unacceptable
from server.imports.areas import area_id
from server.imports.queries import area_ids
from server.problems import BodyError, InvalidBody
from server.replication.versions import started

VERTICES_MAX = 200_000
BUILDINGS_MAX = 5_000
_SHAPES = Limits(
    vertices_max=IMPORT_LIMITS.vertices_max,
    features_max=BUILDINGS_MAX,
    geometry_types=POLYGONAL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapes:
    """The shapes of a body, read before any database is asked: by edit, then in its order."""

    of_edits: tuple[tuple[BaseGeometry, ...], ...]
    ground: BaseGeometry | None
    buildings: tuple[BaseGeometry, ...]


def read_shapes(body: ChangeDraft) -> Shapes:
    """Read every shape of a body.

    Raises:
        InvalidBody: for the first that is no valid polygon, with its place, or when there are
            more than `VERTICES_MAX` vertices in all.
    """
    of_edits = tuple(
        tuple(_boundary(shape, f"/edits/{index}{inner}") for inner, shape in _shapes_of(edit))
        for index, edit in enumerate(body.edits)
    )
    ground = None if body.ground is None else _boundary(body.ground, "/ground")
    buildings = () if body.buildings is None else _buildings(body.buildings)
    everything = [*(shape for each in of_edits for shape in each), *buildings]
    everything += [] if ground is None else [ground]
    if everything and shapely.get_num_coordinates(everything).sum() > VERTICES_MAX:
        raise InvalidBody.at("", f"has more than {VERTICES_MAX} vertices in all")
    return Shapes(of_edits=of_edits, ground=ground, buildings=buildings)


def _shapes_of(edit: AnyEdit) -> Iterator[tuple[str, dict[str, Any]]]:
    match edit:
        case CreateEdit():
            yield "/grid/boundary", edit.grid.boundary
        case RedrawEdit():
            yield "/boundary", edit.boundary
        case SplitEdit():
            for index, each in enumerate(edit.into):
                yield f"/into/{index}/boundary", each.boundary
        case MergeEdit() | RetireEdit():
            return


def _boundary(shape: object, pointer: str) -> BaseGeometry:
    try:
        features = parse_geojson(shape, limits=_SHAPES).features
    except GeoError as fault:
        raise unacceptable(fault, pointer) from None
    if len(features) != 1 or features[0].geometry is None:
        raise InvalidBody.at(pointer, "must be one polygon or multipolygon")
    try:
        return normal_boundary(features[0].geometry)
    except GeoError as fault:
        raise unacceptable(fault, pointer) from None


def _buildings(document: object) -> tuple[BaseGeometry, ...]:
    try:
        parsed = parse_geojson(document, limits=_SHAPES)
        return tuple(
            normal_boundary(each.geometry, f"{each.pointer}/geometry")
            for each in parsed.features
            if each.geometry is not None
        )
    except GeoError as fault:
        raise unacceptable(fault, "/buildings") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A draft ready to be stored: its content, where it may be seen, and what it stands on."""

    content: Content
    area_id: str
    area_no: int
    base: dict[str, int]


def drawn(db: Connection, scope: Scope, body: ChangeDraft, shapes: Shapes) -> Drawn:
    """Look up what the edits name.

    Raises:
        InvalidBody: for a grid or community that is not there to be edited, a code that was
            used before, or grids of several communities in one merger.
    """
    drawing = _Drawing(db, scope, body)
    edits = tuple(
        drawing.edit(index, edit, shapes.of_edits[index])
        for index, edit in enumerate(body.edits)
    )
    drawing.refuse_faults()
    content = Content(
        edits=edits,
        tolerance=Tolerance(area_m2=body.tolerance_m2, width_m=body.sliver_width_m),
        edge_m=body.edge_m,
        open_work=body.open_work,
        ground=shapes.ground,
        buildings=shapes.buildings,
    )
    above = queries.area_above(db, drawing.numbers)
    if above is None:
        raise InvalidBody.at("/edits", "must lie in one city")
    return Drawn(
        content=content,
        area_id=above.id,
        area_no=above.lo,
        base=started(db, content.taken),
    )


class _Drawing:
    """The look-ups of one body, each kind asked once; faults are collected."""

    def __init__(self, db: Connection, scope: Scope, body: ChangeDraft) -> None:
        self.grids = queries.grids_in_force(db, scope, sorted(set(_grids_named(body.edits))))
        names = sorted({each.community for each in body.edits if isinstance(each, CreateEdit)})
        found = queries.areas_named(db, scope, names) if names else ()
        communities = [each for each in found if each.level == LEVEL_COMMUNITY]
        self.communities: dict[str, AnyRow] = {
            name: each for each in communities for name in (each.id, each.code)
        }
        codes = [each.code for edit in body.edits for _, each in _new_grids(edit)]
        self.used = area_ids(db, sorted(set(codes)))
        self.often = Counter(codes)
        self.numbers: list[int] = []
        self.faults: list[BodyError] = []

    def refuse_faults(self) -> None:
        """Raise what was found wrong, all of it."""
        if self.faults:
            raise InvalidBody(errors=self.faults)

    def edit(self, index: int, edit: AnyEdit, shapes: Sequence[BaseGeometry]) -> StoredEdit:
        """Return one edit as it is stored; what is wrong with it is noted."""
        pointer = f"/edits/{index}"
        takes = list(_grids_named([edit]))
        rows = [self.grids[grid] for grid in takes if grid in self.grids]
        if len(rows) < len(takes):
            self._note(pointer, "names a grid that is not in force in your area")
        self.numbers += [row.area_no for row in rows]
        community = self._community(pointer, edit, rows)
        gives = [
            self._given(f"{pointer}{inner}/code", new, community, shape)
            for (inner, new), shape in zip(_new_grids(edit), shapes or (None,), strict=False)
        ]
        if isinstance(edit, RedrawEdit) and rows:
            gives = [_redrawn(rows[0], shapes[0])]
        return StoredEdit(kind=EditKind(edit.edit), takes=tuple(takes), gives=tuple(gives))

    def _community(self, pointer: str, edit: AnyEdit, rows: Sequence[AnyRow]) -> str:
        if isinstance(edit, CreateEdit):
            found = self.communities.get(edit.community)
            if found is None:
                self._note(f"{pointer}/community", "must be a community in your area")
                return ""
            self.numbers.append(found.lo)
            return str(found.id)
        communities = {row.community_id for row in rows}
        if len(communities) > 1:
            self._note(f"{pointer}/grids", "must lie in one community")
        return min(communities, default="")

    def _given(
        self, pointer: str, new: NewName, community: str, shape: BaseGeometry | None
    ) -> Given:
        if new.code in self.used or self.often[new.code] > 1:
            self._note(pointer, "is the code of another grid; codes are never used twice")
        return Given(
            id=area_id(new.code),
            code=new.code,
            name=new.name,
            community=community,
            boundary=shape,
        )

    def _note(self, pointer: str, reason: str) -> None:
        self.faults.append(BodyError(pointer=pointer, reason=reason))


def _redrawn(row: AnyRow, shape: BaseGeometry) -> Given:
    return Given(
        id=row.id, code=row.code, name=row.name, community=row.community_id, boundary=shape
    )


def _grids_named(edits: Sequence[AnyEdit]) -> Iterator[str]:
    for edit in edits:
        if isinstance(edit, MergeEdit):
            yield from edit.grids
        elif not isinstance(edit, CreateEdit):
            yield edit.grid


def _new_grids(edit: AnyEdit) -> list[tuple[str, NewGrid | NewName]]:
    """The grids an edit makes, each with its place in the edit."""
    match edit:
        case CreateEdit():
            return [("/grid", edit.grid)]
        case SplitEdit():
            return [(f"/into/{index}", each) for index, each in enumerate(edit.into)]
        case MergeEdit():
            return [("/into", edit.into)]
        case RedrawEdit() | RetireEdit():
            return []
