"""Wire models of requests about one's own data."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from server.areas.schemas import AREA_CHARS_MAX
from server.erasure.schemas import ErasureBody
from server.households.schemas import HouseholdPatch, ResidentPatch
from server.paging import PageParameters
from server.recordids import IdText
from server.subjects.rules import About, Asked, Refusal, State, Verified


class SubjectParameters(PageParameters):
    """Filters of the list of requests; all given ones must hold."""

    area: str | None = Field(
        None, max_length=AREA_CHARS_MAX, description="Code or id of an area; all below it."
    )
    state: State | None = None
    asked: Asked | None = None
    record: IdText | None = Field(None, description="Only about this resident or household.")
    overdue: bool | None = Field(
        None, description="True: only what is open and past its date; false: all else."
    )


class SubjectCreate(BaseModel):
    """What somebody asks about their own data. With an `id` it may be repeated safely."""

    model_config = ConfigDict(extra="forbid")

    id: IdText | None = Field(None, description="UUID (version 7 advised) made by the caller.")
    asked: Asked
    about: About
    record: IdText = Field(description="The resident or household that asks.")
    verified: Verified = Field(
        description="How it was made sure that it is them. No document is copied or kept."
    )


class SubjectRefusal(BaseModel):
    """Why a request is refused: a word of a list."""

    model_config = ConfigDict(extra="forbid")

    reason: Refusal


class Correction(BaseModel):
    """The corrected fields of the record that the request is about, as it stood at a revision.

    `household` or `resident`, whichever the request is about.
    """

    model_config = ConfigDict(extra="forbid")

    record_rev: int = Field(ge=1, description="The `rev` of the record that was read.")
    household: HouseholdPatch | None = None
    resident: ResidentPatch | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.household is None) == (self.resident is None):
            raise ValueError("must name household or resident, and one of them only")
        return self


class ErasingBody(BaseModel):
    """Erase what the request is about. What it takes has to be counted first (`dry_run`)."""

    model_config = ConfigDict(extra="forbid")

    record_rev: int = Field(ge=1, description="The `rev` of the record that was read.")
    dry_run: bool = Field(default=False, description="Only count what would be erased.")


class StepBody(BaseModel):
    """One thing that was done for a request."""

    rev: int
    at_ms: int
    account: str
    act: str
    record: str | None = Field(description="The record it was done to.")
    record_rev: int | None = Field(description="What that record stood at.")


class CopyBody(BaseModel):
    """That a copy is there to be fetched."""

    made_ms: int
    expires_ms: int
    sha256: str


class SubjectBody(BaseModel):
    """A request: who took it in, who works on it, until when it is due."""

    id: str
    rev: int
    asked: str
    about: str
    record: str
    verified: str
    state: State
    received_ms: int
    received_by: str
    due_ms: int
    overdue: bool
    handler: str | None
    closed_ms: int | None
    refusal: str | None


class SubjectDetail(SubjectBody):
    """A request with everything that was done for it."""

    steps: list[StepBody]
    copied: CopyBody | None = Field(description="The copy that can be fetched now, if any.")


class ErasedForBody(BaseModel):
    """A request after an erasure was counted or done, and what that took."""

    request: SubjectDetail
    erasure: ErasureBody
