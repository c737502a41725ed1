"""Wire models of casework. Limits of every field come from `sync.kinds`."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, field_validator, model_validator

from server.areas.schemas import AREA_CHARS_MAX
from server.fieldrules import Body, FieldRule
from server.grids.schemas import AccuracyM, DatumName, Latitude, Longitude
from server.layers.interval import DATETIME_CHARS_MAX, DESCRIPTION
from server.paging import PageParameters
from server.recordids import IdText
from sync.kinds import SET_ELEMENTS_MAX

LOGIN_CHARS_MAX = 100

ClassCode = Annotated[str, FieldRule("incident", "class")]
Summary = Annotated[str, FieldRule("incident", "summary")]
Priority = Annotated[str, FieldRule("incident", "priority")]
Address = Annotated[str, FieldRule("incident", "address")]
DueMs = Annotated[int, FieldRule("incident", "due_at_ms")]
Instruction = Annotated[str, FieldRule("task", "instruction")]
ReportText = Annotated[str, FieldRule("report", "text")]
Remark = Annotated[str, FieldRule("task", "result")]
Media = Annotated[str, FieldRule("report", "media")]

IncidentState = Literal[
    "reported",
    "registered",
    "dispatched",
    "in_progress",
    "handled",
    "checking",
    "closed",
    "rejected",
    "voided",
    "merged",
]
TaskState = Literal[
    "assigned", "accepted", "in_progress", "not_executable", "done", "confirmed", "withdrawn"
]
Area = Annotated[
    str | None,
    Field(max_length=AREA_CHARS_MAX, description="Code or id of an area; all below it."),
]


class ReportParameters(PageParameters):
    """Filters of the list of reports; all given ones must hold."""

    area: Area = None
    grid: IdText | None = None
    incident: IdText | None = None
    class_: ClassCode | None = Field(None, alias="class")
    archived: bool = Field(default=False, description="True: only what was put away.")


class IncidentParameters(PageParameters):
    """Filters of the list of incidents; all given ones must hold."""

    area: Area = None
    grid: IdText | None = None
    state: IncidentState | None = None
    open: bool | None = Field(
        None,
        description="False: only closed, rejected, voided and merged ones; true: the others.",
    )
    class_: ClassCode | None = Field(None, alias="class")
    datetime: str | None = Field(
        None, max_length=DATETIME_CHARS_MAX, description=f"When observed. {DESCRIPTION}"
    )
    archived: bool = Field(default=False, description="True: only what was put away.")


class TaskParameters(PageParameters):
    """Filters of the list of tasks; all given ones must hold."""

    area: Area = None
    grid: IdText | None = None
    state: TaskState | None = None
    incident: IdText | None = None
    assignee: IdText | None = Field(None, description="Id of an account.")
    archived: bool = Field(default=False, description="True: only what was put away.")


class PositionBody(Body):
    """Where something was seen, in the datum it was measured in."""

    lon: Longitude
    lat: Latitude
    datum: DatumName = "wgs84"
    accuracy_m: AccuracyM = 0.0


class ReportCreate(Body):
    """A report taken in by an office. With an `id` of your own the call may be repeated."""

    id: IdText | None = Field(None, description="UUID (version 7 advised) made by the caller.")
    class_: ClassCode = Field(alias="class", description="Code of a class of the catalogue.")
    text: ReportText | None = None
    channel: Literal["hotline", "public"] = "hotline"
    incident: IdText | None = Field(
        None, description="An incident this is one more report of; without it a new one opens."
    )
    position: PositionBody | None = None
    grid: IdText | None = Field(None, description="The grid, when there is no position.")
    media: list[Media] = Field(default_factory=list, max_length=SET_ELEMENTS_MAX)

    @model_validator(mode="after")
    def _has_place(self) -> Self:
        if (self.position is None) == (self.grid is None) and self.incident is None:
            raise ValueError("needs either position or grid")
        return self


class IncidentPatch(Body):
    """A change of an incident: absent members stay, null clears; not class or grid."""

    class_: ClassCode | None = Field(None, alias="class")
    summary: Summary | None = None
    priority: Priority | None = None
    address: Address | None = None
    grid: IdText | None = Field(None, description="Another grid moves the incident there.")
    due_at_ms: DueMs | None = None

    @field_validator("class_", "grid")
    @classmethod
    def _is_given(cls, value: str | None) -> str:
        if value is None:
            raise ValueError("cannot be cleared")
        return value

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("must name at least one field")
        return self


class Registration(Body):
    """What filing an incident may settle besides its case number."""

    due_at_ms: DueMs | None = Field(None, description="Default: now and the class's limit.")


class Dispatch(Body):
    """Who shall do what until when."""

    assignee: str = Field(
        min_length=1,
        max_length=LOGIN_CHARS_MAX,
        description="Login or account id of an active worker assigned to the incident's grid.",
    )
    instruction: Instruction | None = None
    due_at_ms: DueMs | None = Field(None, description="Default: now and the class's limit.")


class Order(Body):
    """Who shall do an open task from now on; what is left out stays as it is."""

    assignee: str = Field(
        min_length=1,
        max_length=LOGIN_CHARS_MAX,
        description="Login or account id of an active worker assigned to the task's grid.",
    )
    instruction: Instruction | None = None
    due_at_ms: DueMs | None = None


class Verification(Body):
    """The result of checking finished work."""

    result: Literal["pass", "fail"]
    text: Remark | None = None


class Reason(Body):
    """Why a decision was taken."""

    text: Remark


class Said(Body):
    """Why a decision was taken, if there is something to say."""

    text: Remark | None = None


class WorkClaim(Body):
    """What is claimed about the work, and where it was done."""

    result: Remark | None = None
    position: PositionBody | None = None


class ClassParameters(PageParameters):
    """Filters of the catalogue; all given ones must hold."""

    active: bool | None = Field(None, description="In use, or no longer.")
    major: str | None = Field(None, max_length=100, description="Major class.")


class ClassBody(BaseModel):
    """One class of event: what it is called and what holds for its incidents."""

    id: str
    rev: int
    code: str
    name: str
    name_zh: str | None
    major: str | None
    limit_hours: int | None = Field(description="Hours from filing until it is due.")
    duplicate_radius_m: int | None
    photo_rule: str | None
    active: bool


class ReportBody(BaseModel):
    """One report: a fact, it is never changed."""

    id: str
    rev: int
    class_: str = Field(serialization_alias="class")
    text: str | None
    channel: str | None
    incident: str | None
    grid: str | None = Field(description="Where it is looked after now.")
    observed_grid: str | None = Field(
        description="The grid that held its place when it was observed; it never changes."
    )
    observed_grid_from_ms: int | None = Field(
        description="When the version of that grid began; see the versions of the grid."
    )
    lon: float | None
    lat: float | None
    accuracy_m: float | None
    datum: str | None
    certain: bool | None
    observed_at_ms: int | None
    reporter: str | None
    media: list[str]
    created_ms: int


class MeasuredBody(BaseModel):
    """A position as it was received, in the datum it was labelled with."""

    lon: float
    lat: float
    datum: str
    accuracy_m: float


class OneReportBody(ReportBody):
    """One report with the position that came with it.

    `datum` is what that was converted from: the label, or what a person said it really is.
    """

    measured: MeasuredBody | None = Field(
        description="As it was received; null without a place, or when it was erased."
    )


class IncidentBody(BaseModel):
    """One incident. `rev` is what `If-Match` compares."""

    id: str
    rev: int
    state: str
    epoch: int
    state_at_ms: int
    class_: str = Field(serialization_alias="class")
    summary: str | None
    priority: str | None
    address: str | None
    case_no: str | None
    grid: str | None
    lon: float | None
    lat: float | None
    task: str | None
    due_at_ms: int | None
    observed_at_ms: int | None
    rework: int
    archived: bool
    created_ms: int
    updated_ms: int


class AssigneeBody(BaseModel):
    """Who has a task."""

    id: str
    login: str | None


class TaskBody(BaseModel):
    """One task. `rev` is what `If-Match` compares."""

    id: str
    rev: int
    state: str
    epoch: int
    state_at_ms: int
    incident: str | None
    title: str | None
    instruction: str | None
    assignee: AssigneeBody | None
    due_at_ms: int | None
    result: str | None
    grid: str | None
    lon: float | None
    lat: float | None
    created_ms: int
    updated_ms: int


class TimelineEntry(BaseModel):
    """One thing that happened to an incident or its tasks."""

    at_ms: int
    what: Literal["report", "claim", "decision"]
    record: str = Field(description="The report, task or incident it happened to.")
    act: str
    by: str | None = Field(description="Login of who did it.")
    text: str | None
    counted: bool = Field(description="False: kept, but the state did not follow it.")
    quality: str | None = Field(description="How exact the time is: exact, estimated, clamped.")


class IncidentWithHistory(IncidentBody):
    """One incident with everything that happened to it, oldest first."""

    reports: list[ReportBody]
    tasks: list[TaskBody]
    timeline: list[TimelineEntry]
    open_conflicts: list[str]
