"""Wire models of areas."""

from typing import Annotated

from pydantic import BaseModel, Field

from server.moment import INSTANT_CHARS_MAX
from server.paging import PageParameters
from server.recordids import IdText

AREA_CHARS_MAX = 60


NamedAt = Annotated[
    str | None,
    Field(
        max_length=INSTANT_CHARS_MAX,
        description="An RFC 3339 instant: codes and names as they were then.",
    ),
]


class AreaParameters(PageParameters):
    """Filters of the list of areas; all given ones must hold."""

    parent: IdText | None = Field(None, description="Id of the area directly above.")
    level: int | None = Field(
        None, ge=1, le=5, description="1 city, 2 district, 3 street, 4 community, 5 grid."
    )
    code: str | None = Field(None, max_length=AREA_CHARS_MAX, description="Exact code.")
    as_of: NamedAt = None


class AreaBody(BaseModel):
    """One area. A grid is an area of level 5 with the same id."""

    id: str
    code: str
    name: str
    level: int
    parent: str | None


class CodeBody(BaseModel):
    """What an area was called from `valid_from` until before `valid_to`."""

    code: str
    name: str
    valid_from: str | None = Field(description="null: since it was first there.")
    valid_to: str | None = Field(description="null: it still is.")


class AreaCodesBody(BaseModel):
    """Everything an area was ever called, the newest first; its id and its place stay."""

    id: str
    codes: list[CodeBody]
