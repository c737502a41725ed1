"""The map layers of analysts: which fields leave the system, and nothing else does.

A layer carries class P0 fields only: codes, names of places, states, times, numbers. Free text
is not a type here, because people write names into free text; who reported, handled or lives
somewhere is not in any layer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class DataClass(StrEnum):
    """P0 not personal, P1 personal, P2 sensitive personal."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"


class FieldKind(StrEnum):
    """What a field of a layer holds. There is no kind for free text.

    COUNT is a number of people or households in the area that `source` numbers, None where it
    is held back (`geo.anonymity`).
    """

    ID = "id"
    CODE = "code"
    PLACE_NAME = "place-name"
    STATE = "state"
    INTEGER = "integer"
    COUNT = "count"
    TIME = "time"


class GeometryKind(StrEnum):
    """The one geometry type of a layer, in the words of GeoJSON."""

    POINT = "Point"
    MULTI_POLYGON = "MultiPolygon"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerField:
    """One attribute. `source` is the stored field; times there are milliseconds (`*_ms`)."""

    name: str
    kind: FieldKind
    title: str
    source: str
    data_class: DataClass = DataClass.P0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What analysts may see of one kind of thing. `time_field` answers time filters."""

    id: str
    title: str
    description: str
    geometry: GeometryKind
    fields: tuple[LayerField, ...]
    time_field: str

    def __post_init__(self) -> None:
        """Refuse a layer that would publish personal data.

        Raises:
            ValueError: if a field is above class P0, a name occurs twice, or `time_field` is
                not a field of kind TIME.
        """
        names = [each.name for each in self.fields]
        times = {each.name for each in self.fields if each.kind is FieldKind.TIME}
        if any(each.data_class is not DataClass.P0 for each in self.fields):
            raise ValueError(f"layer {self.id}: only P0 fields may be published")
        if len(set(names)) < len(names):
            raise ValueError(f"layer {self.id}: a field occurs twice")
        if self.time_field not in times:
            raise ValueError(f"layer {self.id}: the time field is not a time")


def _field(name: str, kind: FieldKind, title: str, source: str = "") -> LayerField:
    return LayerField(name=name, kind=kind, title=title, source=source or name)


_ID: Final = _field("id", FieldKind.ID, "Identifier")
_GRID: Final = _field("grid", FieldKind.ID, "Grid", "grid_id")
_STATE: Final = _field("state", FieldKind.STATE, "State")
_STATE_AT: Final = _field("state_at", FieldKind.TIME, "In this state since", "state_at_ms")
_DUE_AT: Final = _field("due_at", FieldKind.TIME, "Due", "due_at_ms")
_UPDATED_AT: Final = _field("updated_at", FieldKind.TIME, "Last change", "updated_ms")

GRIDS: Final = Layer(
    id="grids",
    title="Grids",
    description="The polygons in force now or then, each the responsibility of one community.",
    geometry=GeometryKind.MULTI_POLYGON,
    fields=(
        _ID,
        _field("code", FieldKind.CODE, "Code"),
        _field("name", FieldKind.PLACE_NAME, "Name"),
        _field("community", FieldKind.ID, "Community", "community_id"),
        _field("area_m2", FieldKind.INTEGER, "Area in square metres"),
        _field("valid_from", FieldKind.TIME, "In force since", "valid_from_ms"),
        _field("valid_to", FieldKind.TIME, "In force until before", "valid_to_ms"),
        _UPDATED_AT,
    ),
    time_field="valid_from",
)
INCIDENTS: Final = Layer(
    id="incidents",
    title="Incidents",
    description="Problems in public space and where their handling stands.",
    geometry=GeometryKind.POINT,
    fields=(
        _ID,
        _field("case_no", FieldKind.CODE, "Case number"),
        _field("class", FieldKind.CODE, "Event class", "class_code"),
        _field("priority", FieldKind.STATE, "Priority"),
        _GRID,
        _STATE,
        _STATE_AT,
        _field("rework", FieldKind.INTEGER, "How often it was sent back"),
        _field("observed_at", FieldKind.TIME, "Observed", "observed_at_ms"),
        _DUE_AT,
        _UPDATED_AT,
    ),
    time_field="observed_at",
)
TASKS: Final = Layer(
    id="tasks",
    title="Tasks",
    description="Work sent out for incidents, without the people who do it.",
    geometry=GeometryKind.POINT,
    fields=(
        _ID,
        _field("incident", FieldKind.ID, "Incident", "incident_id"),
        _GRID,
        _STATE,
        _STATE_AT,
        _DUE_AT,
        _UPDATED_AT,
    ),
    time_field="state_at",
)

HOUSEHOLD_COUNTS: Final = Layer(
    id="household-counts",
    title="Households per grid",
    description=(
        "How many households live in each grid. A number is null where it is about too few, or "
        "would give a neighbour's away: below 5 on a screen, below 10 in a file."
    ),
    geometry=GeometryKind.MULTI_POLYGON,
    fields=(
        _ID,
        _field("code", FieldKind.CODE, "Code"),
        _field("name", FieldKind.PLACE_NAME, "Name"),
        _field("households", FieldKind.COUNT, "Households", "area_no"),
        _field("valid_from", FieldKind.TIME, "In force since", "valid_from_ms"),
    ),
    time_field="valid_from",
)

LAYERS: Final[Mapping[str, Layer]] = MappingProxyType(
    {each.id: each for each in (GRIDS, INCIDENTS, TASKS, HOUSEHOLD_COUNTS)}
)
