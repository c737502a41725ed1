"""Wire models of conflicts."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from server.areas.schemas import AREA_CHARS_MAX
from server.fieldrules import Body
from server.paging import PageParameters
from server.recordids import IdText

NAME_CHARS_MAX = 40
NOTE_CHARS_MAX = 500
FieldValue = str | int | bool | None
Note = Annotated[str, StringConstraints(min_length=1, max_length=NOTE_CHARS_MAX)]


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
    owner: IdText | None = Field(None, description="Account that looks after it.")


class ChoiceBody(BaseModel):
    """One of the values, with who gave it and when."""

    value: FieldValue
    by: str | None = Field(description="Login of the author: of the actor, if it had one.")
    role: str | None
    device: str
    at_ms: int
    live: bool = Field(description="This is the value that is shown meanwhile.")


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
    owner: str | None = Field(description="Login of who looks after it.")
    note: str | None = Field(description="Why it was settled so.")


class Choosing(Body):
    """A choice between the values there are."""

    note: Note | None = Field(None, description="Why, for whoever asks later.")


class Resolution(Choosing):
    """The value that counts: one of those in conflict, or another; null clears the field."""

    value: FieldValue


class Ownership(Body):
    """Who shall look after a conflict; null for nobody."""

    account: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = Field(
        description="Login or id of a dispatcher who answers for the area."
    )
