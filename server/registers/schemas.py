"""Wire models of registers."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field

from server.areas.schemas import AREA_CHARS_MAX
from server.fieldrules import Body
from server.registers.rules import DAYS_MAX
from sync.holding import Purpose

Column = Annotated[str, Field(min_length=1, max_length=40)]


class RegisterCreate(Body):
    """What is to be taken out, what for, and for how long it is needed."""

    purpose: Purpose = Field(strict=False, description="visits, registry or service.")
    columns: list[Column] = Field(min_length=1, max_length=20)
    area: str | None = Field(
        None, max_length=AREA_CHARS_MAX, description="Code or id of an area; all below it."
    )
    days: int = Field(7, ge=1, le=DAYS_MAX, description="Days until it expires.")


class RegisterBody(BaseModel):
    """A register: a description, not its content."""

    id: str
    purpose: str
    columns: list[str]
    area: str | None
    rows: int = Field(description="How many there were when it was made.")
    made_ms: int
    expires_ms: int


class FileForm(StrEnum):
    """What the file of a register may be."""

    CSV = "csv"
    XLSX = "xlsx"
