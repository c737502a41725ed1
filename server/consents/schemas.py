"""Wire models of notices and consents."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from server.consents.rules import About, Act, For, How
from server.paging import PageParameters
from server.recordids import IdText

Version = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,39}$", max_length=40)]


class NoticeCreate(BaseModel):
    """What people are to be told. A version is published once and never changed."""

    model_config = ConfigDict(extra="forbid")

    version: Version
    title: str = Field(min_length=1, max_length=120)
    text: str = Field(min_length=1, max_length=20_000)


class NoticeBody(NoticeCreate):
    """A published notice."""

    published_ms: int
    published_by: str


class ConsentParameters(PageParameters):
    """About whom."""

    record: IdText = Field(description="A resident or household of your area.")


class ConsentCreate(BaseModel):
    """What was shown, agreed to or taken back. With an `id` it may be repeated safely."""

    model_config = ConfigDict(extra="forbid")

    id: IdText | None = Field(None, description="UUID (version 7 advised) made by the caller.")
    about: About
    record: IdText
    act: Act
    purpose: For
    field: str | None = Field(
        None, max_length=40, description="An optional field, if it is about that one alone."
    )
    notice: Version | None = Field(
        None, description="The version that was shown; not when something is taken back."
    )
    how: How


class ConsentBody(BaseModel):
    """One entry: who noted it, and when."""

    id: str
    about: str
    record: str
    act: str
    purpose: str
    field: str | None
    notice: str | None
    how: str
    at_ms: int
    account: str
