"""Wire models of conflicts."""

from typing import Literal

from pydantic import BaseModel, Field

from server.areas.schemas import AREA_CHARS_MAX
from server.fieldrules import Body
from server.paging import PageParameters

NAME_CHARS_MAX = 40
FieldValue = str | int | bool | None


class ConflictParameters(PageParameters):
    """Filters of the list of conflicts; all given ones must hold."""

    status: Literal["open", "resolved", "settled"] | None = Field(
        None, description="open, resolved by a person, or settled by later edits."
    )
    area: str | None = Field(
        None, max_length=AREA_CHARS_MAX, description="Code or id of an area; all below it."
    )
    kind: str | None = Field(None, max_length=NAME_CHARS_MAX, description="Kind of record.")
    field: str | None = Field(None, max_length=NAME_CHARS_MAX, description="Name of the field.")


class ChoiceBody(BaseModel):
    """One of the values, with who gave it and when."""

    value: FieldValue
    by: str | None = Field(description="Login of the author.")
    role: str | None
    device: str
    at_ms: int


class ConflictBody(BaseModel):
    """One conflict. `rev` is the record's revision, which `If-Match` compares."""

    id: str
    record: str
    rev: int
    kind: str
    field: str
    status: str
    values: list[ChoiceBody] = Field(description="All values, the earliest first.")
    live: FieldValue = Field(description="The value shown meanwhile.")
    opened_ms: int
    closed_ms: int | None
    closed_by: str | None = Field(description="Login of who settled it.")
    chosen: FieldValue = Field(description="What was chosen; null while open.")


class Resolution(Body):
    """The value that counts: one of those in conflict, or another; null clears the field."""

    value: FieldValue
