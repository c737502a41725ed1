"""Wire models of possible duplicates."""

from typing import Literal

from pydantic import BaseModel, Field

from server.areas.schemas import AREA_CHARS_MAX
from server.fieldrules import Body
from server.paging import PageParameters
from server.recordids import IdText

Kind = Literal["household", "resident"]


class DuplicateParameters(PageParameters):
    """Where to look, and for which kind."""

    kind: Kind
    area: str | None = Field(
        None, max_length=AREA_CHARS_MAX, description="Code or id of an area; all below it."
    )


class Duplicate(BaseModel):
    """Two records that may be one. Ids only: what they say is read, and noted, as ever."""

    kind: Kind
    first: str = Field(description="The lower of the two ids.")
    second: str
    likeness: int = Field(ge=0, le=100, description="How alike the two look.")
    reasons: list[str] = Field(description="By what, such as `same-name` or `same-phone`.")


class Distinction(Body):
    """Two records that are not the same, whatever they look like."""

    kind: Kind
    first: IdText
    second: IdText


class DistinctionBody(BaseModel):
    """Who said when that two records are not the same."""

    kind: Kind
    first: str
    second: str
    by: str = Field(description="Login of who said so.")
    at_ms: int
