"""Wire models of a record's history."""

from typing import Any

from pydantic import BaseModel, Field

from server.paging import PageParameters


class HistoryItem(BaseModel):
    """One mutation about a record: who asked for what, when, and what became of it."""

    at_ms: int = Field(description="when it was done, corrected")
    quality: str = Field(description="how far that time can be trusted")
    received_ms: int
    login: str
    device: str = Field(description="id of the phone or console")
    device_name: str
    console: bool
    n: int
    record: str = Field(description="the record it named: this one, or one merged into it")
    act: str | None
    fields: list[str] = Field(description="names of the fields it was about, never values")
    base: int = Field(description="the revision its author was looking at")
    rev: int = Field(description="the revision afterwards of the record it had its effect on")
    ended_at: str | None = Field(
        description="the record it had its effect on, if another than the one it named"
    )
    outcome: str
    code: str | None
    field: str | None = Field(description="the field that the code is about")
    asked: dict[str, Any] | None = Field(description="what it said, masked; only with `values`")


class HistoryParameters(PageParameters):
    """Which part of a history."""

    values: bool = Field(
        default=False, description="also what was said, personal data included"
    )
