"""Wire models of moving: from one home to another, a household split, who lived where."""

from typing import Annotated

from pydantic import BaseModel, Field

from server.fieldrules import Body
from server.households.schemas import ContactPhone, Door
from server.recordids import IdText
from sync.kinds import TIME_MS
from sync.wire_mutation import WHY_CHARS_MAX

SPLIT_RESIDENTS_MAX = 50
Reason = Annotated[
    str,
    Field(
        min_length=1, max_length=WHY_CHARS_MAX, description="Why; it is kept in the history."
    ),
]
MovedMs = Annotated[
    int | None,
    Field(
        ge=TIME_MS.low,
        le=TIME_MS.high,
        description="When it happened; now, if it is not said. Never in the future.",
    ),
]


class HouseholdMove(Body):
    """Where a household lives from now on."""

    dwelling: IdText
    text: Reason
    moved_ms: MovedMs = None


class ResidentMove(Body):
    """In which household a resident lives from now on."""

    household: IdText
    text: Reason
    moved_ms: MovedMs = None


class HouseholdSplit(Body):
    """Who of a household is one of their own. With an `id` it may be repeated safely."""

    id: IdText | None = Field(None, description="UUID (version 7 advised) made by the caller.")
    dwelling: IdText = Field(description="Where the new household lives; may be the same.")
    residents: Annotated[
        list[IdText],
        Field(min_length=1, max_length=SPLIT_RESIDENTS_MAX, description="Who goes."),
    ]
    door: Door | None = None
    contact_phone: ContactPhone | None = None
    text: Reason
    moved_ms: MovedMs = None


class Stay(BaseModel):
    """That a household lived at a dwelling, from when to when."""

    household: str
    from_ms: int = Field(description="When it moved in, or was first written down.")
    to_ms: int | None = Field(description="When it left; null if it lives there.")


class Stays(BaseModel):
    """Who lived at a dwelling, the latest to arrive first."""

    items: list[Stay]
    more: bool = Field(description="True if there were others before.")
