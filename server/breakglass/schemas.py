"""Wire models of breaking the glass."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

from server.areas.schemas import AREA_CHARS_MAX
from server.fieldrules import Body
from server.paging import PageParameters
from server.recordids import IdText

MINUTES_MAX = 180
REASON_CHARS_MAX = 500
Words = Annotated[
    str, StringConstraints(min_length=1, max_length=REASON_CHARS_MAX, strip_whitespace=True)
]


class BreakGlassRequest(Body):
    """What has to be read outside of your area, why, and for how long."""

    area: Annotated[str, StringConstraints(min_length=1, max_length=AREA_CHARS_MAX)] | None = (
        Field(None, description="Code or id of a street, a community or a grid.")
    )
    record: IdText | None = Field(None, description="A household or a resident, and no other.")
    reason: Words = Field(description="What happened. Who reviews it reads this.")
    minutes: int = Field(MINUTES_MAX, ge=1, le=MINUTES_MAX, description="It ends by itself.")

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.area is None) == (self.record is None):
            raise ValueError("needs either area or record")
        return self


class GlassBody(BaseModel):
    """One time the glass was broken."""

    id: str
    account: str
    login: str
    area: str | None = Field(description="Id of the area that was opened.")
    record: str | None = Field(description="Id of the record that was opened.")
    reason: str
    at_ms: int
    until_ms: int = Field(description="It opens nothing from then on, nor once it is reviewed.")
    open: bool
    reviewed_ms: int | None
    reviewed_by: str | None = Field(description="Login of who reviewed it.")
    verdict: str | None
    note: str | None


class GlassParameters(PageParameters):
    """Which to list."""

    reviewed: bool | None = Field(None, description="False: only what waits for a review.")


class Review(Body):
    """What is thought of it."""

    verdict: Literal["justified", "unjustified"]
    text: Words = Field(description="Why; it is kept.")
