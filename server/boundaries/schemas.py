"""Wire models of boundary changes."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from geo.change_faults import FaultKind
from geo.codes import LAYOUTS, UNIT_GRID
from server.areas.schemas import AREA_CHARS_MAX
from server.fieldrules import Body, FieldRule
from server.imports.gridcells import ANY_LAYOUT
from server.layers.systems import CRS_CHARS_MAX
from server.paging import PageParameters
from server.recordids import IdText

EDITS_MAX = 200
IMPORTED_EDITS_MAX = 2_000
PIECES_MAX = 50
REASON_CHARS_MAX = 500
UNTOLD = "null for who only draws: a shape around one home would tell of it."

Geometry = Annotated[
    dict[str, Any],
    Field(description="GeoJSON Polygon or MultiPolygon, WGS 84, longitude first."),
]
FieldName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=REASON_CHARS_MAX)
]
Metres = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


class NewName(Body):
    """Code and name of a grid that is to be; a code is never used twice."""

    code: Annotated[str, FieldRule("grid", "code")]
    name: Annotated[str, FieldRule("grid", "name")]


class NewGrid(NewName):
    """A grid that is to be."""

    boundary: Geometry


class CreateEdit(Body):
    """A new grid on ground that has none."""

    edit: Literal["create"]
    community: Annotated[str, StringConstraints(min_length=1, max_length=AREA_CHARS_MAX)] = (
        Field(description="Code or id of the community.")
    )
    grid: NewGrid


class RedrawEdit(Body):
    """Another boundary for a grid."""

    edit: Literal["redraw"]
    grid: IdText
    boundary: Geometry


class SplitEdit(Body):
    """Several new grids instead of one, in its community."""

    edit: Literal["split"]
    grid: IdText
    into: list[NewGrid] = Field(min_length=2, max_length=PIECES_MAX)


class MergeEdit(Body):
    """One new grid on the ground of several of one community."""

    edit: Literal["merge"]
    grids: list[IdText] = Field(min_length=2, max_length=PIECES_MAX)
    into: NewName


class RetireEdit(Body):
    """A grid is no more."""

    edit: Literal["retire"]
    grid: IdText


AnyEdit = Annotated[
    CreateEdit | RedrawEdit | SplitEdit | MergeEdit | RetireEdit, Field(discriminator="edit")
]


class ChangeDraft(Body):
    """What is wanted: edits, and what the check of them takes into account."""

    reason: Reason = Field(description="Why; kept in history. No names of people.")
    edits: list[AnyEdit] = Field(min_length=1, max_length=EDITS_MAX)
    tolerance_m2: Metres = Field(
        1.0, description="Overlaps, gaps and ground outside up to this are told, not refused."
    )
    sliver_width_m: Metres = Field(0.5, description="A part thinner than this is a sliver.")
    edge_m: Metres = Field(10.0, description="Nearer than this to a new border is ambiguous.")
    open_work: Literal["move", "keep"] = Field(
        "move",
        description="Open incidents move with the ground, or stay as long as their grid.",
    )
    ground: Geometry | None = Field(
        None, description="What the grids must cover exactly and not leave, if you have it."
    )
    buildings: dict[str, Any] | None = Field(
        None, description="GeoJSON FeatureCollection of buildings that no border may cross."
    )


class ImportedDraft(ChangeDraft):
    """A draft that a file makes: more edits than anybody draws by hand."""

    edits: list[AnyEdit] = Field(min_length=1, max_length=IMPORTED_EDITS_MAX)


class FileParameters(BaseModel):
    """How to import a file of grids, and what is said beside it."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = Field(default=False, description="Check and report only.")
    crs: str | None = Field(
        None, max_length=CRS_CHARS_MAX, description="`EPSG:…` of a file that names no system."
    )
    encoding: str | None = Field(
        None, max_length=40, description="Of a shapefile's text: UTF-8, GB18030 or Big5."
    )
    layer: FieldName | None = Field(None, description="Of a file with several.")
    code_field: FieldName = Field("code", description="What the file calls the code.")
    name_field: FieldName = Field("name", description="What the file calls the name.")
    community_field: FieldName = Field(
        "community", description="What the file calls the community of a grid."
    )
    community: str | None = Field(
        None, max_length=AREA_CHARS_MAX, description="Code or id, of all grids of the file."
    )
    layout: str = Field(
        UNIT_GRID.name,
        description="Layout of grid codes; `any` accepts all.",
        json_schema_extra={"enum": [*LAYOUTS, ANY_LAYOUT]},
    )
    missing: Literal["keep", "retire"] = Field(
        "keep", description="What becomes of grids of these communities the file does not have."
    )
    reason: Reason = Field("Boundaries from a file", description="Of the draft.")


class GivenBody(BaseModel):
    """A grid that an edit gives. `boundary` is null for the ground of what a merger takes."""

    id: str
    code: str
    name: str
    community: str
    boundary: dict[str, Any] | None


class EditBody(BaseModel):
    """One edit: the grids it takes, and those it gives."""

    edit: str
    takes: list[str]
    gives: list[GivenBody]


class MovedBody(BaseModel):
    """How many moved."""

    dwellings: int
    households: int | None = Field(description=UNTOLD)
    incidents: int
    tasks: int


class ResultBody(BaseModel):
    """What publishing did."""

    opened: list[str] = Field(description="Grids that are new.")
    redrawn: list[str]
    closed: list[str] = Field(description="Grids that are no more.")
    moved: MovedBody
    assignments: int = Field(description="How many workers' assignments went to new grids.")


class ChangeSummary(BaseModel):
    """A boundary change in a list. `rev` is what `If-Match` compares."""

    id: str
    rev: int
    state: Literal["draft", "published", "discarded"]
    area: str = Field(description="The lowest area that holds all of it.")
    reason: str
    edits: int
    drawn_by: str = Field(description="Account of who drew the edits as they are.")
    created_ms: int
    updated_ms: int
    published_by: str | None
    published_ms: int | None


class ChangeBody(BaseModel):
    """A boundary change with everything that is wanted."""

    id: str
    rev: int
    state: Literal["draft", "published", "discarded"]
    area: str
    reason: str
    edits: list[EditBody]
    tolerance_m2: float
    sliver_width_m: float
    edge_m: float
    open_work: Literal["move", "keep"]
    ground: dict[str, Any] | None
    buildings: int = Field(description="How many buildings no border may cross.")
    drawn_by: str
    created_ms: int
    updated_ms: int
    published_by: str | None
    published_ms: int | None
    result: ResultBody | None


class ChangeParameters(PageParameters):
    """Which boundary changes to list."""

    model_config = ConfigDict(extra="forbid")

    area: str | None = Field(
        None, max_length=AREA_CHARS_MAX, description="Code or id of an area; all below it."
    )
    state: Literal["draft", "published", "discarded"] | None = None


class FaultBody(BaseModel):
    """One fault, with its size and its place on the map."""

    fault: FaultKind
    grids: list[str]
    area_m2: float
    width_m: float | None = Field(description="Mean width of the ground; null for edges.")
    lon: float
    lat: float
    witness: dict[str, Any] = Field(description="GeoJSON: the ground or the edges.")
    refused: bool = Field(description="The change cannot be published with it.")


class CheckedBody(BaseModel):
    """What is wrong with a draft: what refuses it first, then the largest first."""

    publishable: bool
    faults: list[FaultBody]
    faults_total: int = Field(description="At most 500 are listed.")


class FlowBody(BaseModel):
    """What would move from one grid to another, and who looks after it there now."""

    from_grid: str
    to_grid: str | None = Field(description="null: in no grid, which refuses the change.")
    dwellings: int
    households: int | None = Field(description=UNTOLD)
    incidents: int
    tasks: int
    from_workers: list[str] = Field(description="Empty for who only draws, as `to_workers` is.")
    to_workers: list[str]


class LoadBody(BaseModel):
    """What there is to look after: before, and as it would be."""

    households_before: int | None = Field(description=UNTOLD)
    households_after: int | None = Field(description=UNTOLD)
    incidents_before: int
    incidents_after: int
    tasks_before: int
    tasks_after: int


class GridLoadBody(LoadBody):
    """The load of one grid."""

    grid: str
    code: str


class WorkerLoadBody(LoadBody):
    """The load of one worker in the grids of the change. In the order of logins: no ranking."""

    worker: str


class PreviewBody(BaseModel):
    """What publishing a draft would move, as things stand now."""

    publishable: bool = Field(description="No orphans, and not more moves than the limit.")
    flows: list[FlowBody]
    grids: list[GridLoadBody]
    workers: list[WorkerLoadBody] = Field(description="None for who only draws.")
    ambiguous: int = Field(description="Dwellings and incidents near a new border.")
    ambiguous_first: list[str] = Field(description="Ids of the first 100 of them.")
    orphans: int = Field(description="Dwellings and incidents that would be in no grid.")
    orphans_first: list[str] = Field(description="Ids of the first 100 of them.")
    moving: int
    moving_max: int


class ProposalRequest(Body):
    """What grids of a community should be like."""

    reason: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=REASON_CHARS_MAX)
    ] = Field(description="Why; kept in history. No names of people.")
    households: int = Field(
        300, ge=20, le=3_000, description="How many households a grid should have, about."
    )
    seed: int = Field(0, ge=0, le=1_000_000, description="Another one may give other borders.")
    barriers: dict[str, Any] | None = Field(
        None,
        description="GeoJSON lines that people do not cross easily: wide roads, water, walls.",
    )
    tolerance_m2: Metres = Field(5.0, description="As in a draft.")


class PartBody(BaseModel):
    """A grid of a proposal."""

    code: str
    households: int | None = Field(description=UNTOLD)


class ProposalBody(BaseModel):
    """A draft that was drawn up by the server, and what publishing it would move."""

    change: ChangeBody
    parts: list[PartBody] = Field(description="By code.")
    deviation: float = Field(
        description="The largest distance from the mean of the parts, as a share of it."
    )
    preview: PreviewBody


class ImportedBody(BaseModel):
    """What an uploaded file did, or in a dry run would do."""

    outcome: Literal["written", "drafted", "unchanged", "checked"]
    change: str | None = Field(None, description="The draft, if it became one.")
    rev: int | None = Field(None, description="Its revision, for `If-Match`.")
    rows: int
    created: int
    redrawn: int
    retired: int
    unchanged: int
    names_kept: int = Field(description="Grids that have another name, which a draft keeps.")
    check: CheckedBody | None = Field(None, description="What is wrong with the draft.")
    report: dict[str, Any] = Field(description="As `jingwei import` reports.")
