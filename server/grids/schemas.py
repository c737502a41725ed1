"""Wire models of grids."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from server.areas.schemas import AREA_CHARS_MAX
from server.fieldrules import Body
from server.layers.bounds import BBOX_CHARS_MAX
from server.layers.systems import CRS_CHARS_MAX
from server.moment import AsOf
from server.paging import PageParameters

Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
AccuracyM = Annotated[
    float,
    Field(
        ge=0,
        le=1_000_000,
        allow_inf_nan=False,
        description="Radius in metres as the device reports it; cut to 2,000.",
    ),
]
DatumName = Annotated[
    Literal["wgs84", "cgcs2000", "gcj02", "bd09"],
    Field(description="What the position is labelled with; it is converted, never guessed."),
]


class GridParameters(PageParameters):
    """Filters of the list of grids; all given ones must hold."""

    bbox: str | None = Field(
        None,
        max_length=BBOX_CHARS_MAX,
        description="minx,miny,maxx,maxy in WGS 84 degrees, longitude first.",
    )
    area: str | None = Field(
        None, max_length=AREA_CHARS_MAX, description="Code or id of an area; all below it."
    )
    as_of: AsOf = None


class ImportParameters(BaseModel):
    """How to import grids."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = Field(default=False, description="Check and report only.")
    crs: str | None = Field(
        None,
        max_length=CRS_CHARS_MAX,
        description="What the sender believes; only WGS 84 or CGCS2000 degrees will do.",
    )


class Place(Body):
    """A measured position."""

    lon: Longitude
    lat: Latitude
    datum: DatumName = "wgs84"
    accuracy_m: AccuracyM = 0.0


class ValidationBody(BaseModel):
    """What an acceptable GeoJSON document holds."""

    type: str
    features: int
    geometry_types: dict[str, int]
    vertices: int
    bbox: list[float] | None
    notes: list[str] = Field(description="What a reader normalises: rings, further ordinates.")


class VersionBody(BaseModel):
    """A grid as it stood from `valid_from` until before `valid_to` (null: it still does)."""

    code: str
    name: str
    community: str
    area_m2: int
    valid_from: str
    valid_to: str | None
    change: str | None = Field(description="The boundary change it came from, if it did.")
    geometry: dict[str, Any] = Field(description="GeoJSON, WGS 84, longitude first.")


class LineageBody(BaseModel):
    """How much of one grid went to another when a boundary change was published."""

    change: str
    parent: str
    child: str
    at: str
    area_m2: int
    share_of_parent: float = Field(description="0 to 1, of the parent's area.")
    share_of_child: float = Field(description="0 to 1, of the child's area.")
    households: int | None = Field(
        description="How many went with it; null for who may not see households."
    )


class GridHistoryBody(BaseModel):
    """Every version of a grid, the newest first, and where ground came from and went to."""

    id: str
    versions: list[VersionBody]
    lineage: list[LineageBody]


class Reassigned(BaseModel):
    """What a reassignment moved, or would move in a dry run.

    `to` is the number of dwellings by the id of the grid they lie in; what belongs to them
    follows and is not counted. `in_no_grid` stay where they are.
    """

    moved: int
    to: dict[str, int]
    in_no_grid: int
    dry_run: bool
