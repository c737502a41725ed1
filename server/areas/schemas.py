"""Wire models of areas."""

from pydantic import BaseModel, Field

from server.paging import PageParameters
from server.recordids import IdText

AREA_CHARS_MAX = 60


class AreaParameters(PageParameters):
    """Filters of the list of areas; all given ones must hold."""

    parent: IdText | None = Field(None, description="Id of the area directly above.")
    level: int | None = Field(
        None, ge=1, le=5, description="1 city, 2 district, 3 street, 4 community, 5 grid."
    )
    code: str | None = Field(None, max_length=AREA_CHARS_MAX, description="Exact code.")


class AreaBody(BaseModel):
    """One area. A grid is an area of level 5 with the same id."""

    id: str
    code: str
    name: str
    level: int
    parent: str | None
