"""Wire models of looking at what is masked."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints

from server.fieldrules import Body
from sync.holding import Purpose

REASON_CHARS_MAX = 200
NAMES_MAX = 10
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class RevealPurpose(StrEnum):
    """What names and telephone numbers are held for, and so may be looked at for."""

    REGISTRY = Purpose.REGISTRY.value
    VISITS = Purpose.VISITS.value


class Why(Body):
    """What something is looked at for, and why now."""

    purpose: Annotated[RevealPurpose, Field(strict=False)] = Field(
        description="One of those the field is held for; see the data catalogue."
    )
    reason: Annotated[
        str, StringConstraints(min_length=1, max_length=REASON_CHARS_MAX, strip_whitespace=True)
    ] = Field(description="For the access log. Name nobody in it.")


class FieldsReveal(Why):
    """Which masked fields of a record are to be shown."""

    fields: list[Name] = Field(min_length=1, max_length=NAMES_MAX)


class RevealedFields(BaseModel):
    """Whole values, to be used now and not to be stored."""

    record: str
    kind: str
    rev: int
    values: dict[str, str | None]
    contested: dict[str, list[str | None]] = Field(
        description="All values of the fields among them that are in an open conflict."
    )


class RevealedWork(BaseModel):
    """What work that waits says, whole."""

    body: dict[str, Any]
