"""What a boundary change wants, as it is stored: JSON with encoded boundaries."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shapely.geometry.base import BaseGeometry

from geo.boundary import decode_boundary, encode_boundary
from geo.change_faults import Tolerance
from geo.changes import Edit, EditKind

OpenWork = Literal["move", "keep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A grid that an edit gives; `boundary` None is the ground of what a merger takes."""

    id: str
    code: str
    name: str
    community: str
    boundary: BaseGeometry | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEdit:
    """One edit with the names of what it gives."""

    kind: EditKind
    takes: tuple[str, ...]
    gives: tuple[Given, ...]

    def as_edit(self) -> Edit:
        """Return the edit as the rules take it."""
        gives = {each.id: each.boundary for each in self.gives}
        return Edit(kind=self.kind, takes=self.takes, gives=gives)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Everything a draft says."""

    edits: tuple[StoredEdit, ...]
    tolerance: Tolerance
    edge_m: float
    open_work: OpenWork
    ground: BaseGeometry | None
    buildings: tuple[BaseGeometry, ...]

    @property
    def taken(self) -> list[str]:
        """The grids that the edits take, in order, each once."""
        return list(dict.fromkeys(grid for each in self.edits for grid in each.takes))

    @property
    def given(self) -> dict[str, Given]:
        """The grids that the edits give, by id."""
        return {each.id: each for edit in self.edits for each in edit.gives}

    def as_json(self) -> str:
        """Return the stored text."""
        return json.dumps(
            {
                "edits": [_edit_json(each) for each in self.edits],
                "tolerance_m2": self.tolerance.area_m2,
                "sliver_width_m": self.tolerance.width_m,
                "edge_m": self.edge_m,
                "open_work": self.open_work,
                "ground": None if self.ground is None else encode_boundary(self.ground),
                "buildings": [encode_boundary(each) for each in self.buildings],
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )


def _edit_json(edit: StoredEdit) -> dict[str, Any]:
    return {
        "edit": edit.kind.value,
        "takes": list(edit.takes),
        "gives": [
            {
                "id": each.id,
                "code": each.code,
                "name": each.name,
                "community": each.community,
                "boundary": None if each.boundary is None else encode_boundary(each.boundary),
            }
            for each in edit.gives
        ],
    }


def content_of(text: str) -> Content:
    """Return what `Content.as_json` wrote."""
    stored = json.loads(text)
    return Content(
        edits=tuple(_stored_edit(each) for each in stored["edits"]),
        tolerance=Tolerance(area_m2=stored["tolerance_m2"], width_m=stored["sliver_width_m"]),
        edge_m=stored["edge_m"],
        open_work=stored["open_work"],
        ground=None if stored["ground"] is None else decode_boundary(stored["ground"]),
        buildings=tuple(decode_boundary(each) for each in stored["buildings"]),
    )


def _stored_edit(edit: Mapping[str, Any]) -> StoredEdit:
    return StoredEdit(
        kind=EditKind(edit["edit"]),
        takes=tuple(edit["takes"]),
        gives=tuple(_given(edit["gives"])),
    )


def _given(gives: Iterable[Mapping[str, Any]]) -> Iterable[Given]:
    for each in gives:
        drawn = each["boundary"]
        yield Given(
            id=each["id"],
            code=each["code"],
            name=each["name"],
            community=each["community"],
            boundary=None if drawn is None else decode_boundary(drawn),
        )
