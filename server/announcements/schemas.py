"""Wire models of announcements. Limits of every field come from `sync.kinds`."""

from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from server.areas.schemas import AREA_CHARS_MAX
from server.fieldrules import Body, FieldRule
from server.paging import PageParameters
from server.recordids import IdText

Title = Annotated[str, FieldRule("announcement", "title")]
Words = Annotated[str, FieldRule("announcement", "text")]
UntilMs = Annotated[int, FieldRule("announcement", "valid_until_ms")]


class AnnouncementParameters(PageParameters):
    """Filters of the list of announcements; all given ones must hold."""

    area: str | None = Field(
        None, max_length=AREA_CHARS_MAX, description="Code or id of an area; that one alone."
    )
    over: bool = Field(
        default=False, description="True: only what is over or was withdrawn, not what holds."
    )


class AnnouncementCreate(Body):
    """A new announcement. With an `id` of your own the call may be repeated safely."""

    id: IdText | None = Field(None, description="UUID (version 7 advised) made by the caller.")
    area: IdText = Field(description="Everybody who works in it or below it receives it.")
    title: Title
    text: Words
    valid_until_ms: UntilMs = Field(description="In the future, at most a year.")


class AnnouncementPatch(Body):
    """A change: members that are absent stay as they are."""

    title: Title | None = None
    text: Words | None = None
    valid_until_ms: UntilMs | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("must name at least one field")
        if any(getattr(self, name) is None for name in self.model_fields_set):
            raise ValueError("must not clear a field")
        return self


class AnnouncementBody(BaseModel):
    """An announcement as it stands."""

    id: str
    rev: int
    area: str
    area_code: str
    title: str
    text: str
    valid_until_ms: int
    archived: bool = Field(description="It was withdrawn.")
    created_ms: int
    updated_ms: int
