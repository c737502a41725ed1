"""Wire models of the calls about assignments."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from server.identity.schemas import ShortText, Uuid
from server.paging import PageParameters

AreaName = Annotated[str, StringConstraints(min_length=1, max_length=40)]
Instant = Annotated[int, Field(ge=0, le=253_402_300_799_999)]


class AssignmentBody(BaseModel):
    """An area a worker answers for, from `from_ms` on, until before `until_ms` (null: open)."""

    id: str
    worker: str = Field(description="login")
    area: str = Field(description="id of the area")
    area_code: str
    from_ms: int
    until_ms: int | None

    @classmethod
    def of(cls, row: Any) -> Self:
        """Return the body of a row of `assignments_in`."""
        return cls(
            id=row.id,
            worker=row.login,
            area=row.area_id,
            area_code=row.code,
            from_ms=row.valid_from_ms,
            until_ms=row.valid_to_ms,
        )


class NewAssignment(BaseModel):
    """Who is to answer for what. With an `id` of its own the call may be repeated safely."""

    model_config = ConfigDict(extra="forbid")

    id: Uuid | None = Field(default=None, description="made by the caller")
    worker: ShortText = Field(description="login of a worker of your area")
    area: AreaName = Field(description="code or id of an area in yours")
    from_ms: Instant | None = Field(default=None, description="now or later; without it now")
    until_ms: Instant | None = Field(default=None, description="later than `from_ms`")


class AssignmentEnd(BaseModel):
    """When an assignment ends."""

    model_config = ConfigDict(extra="forbid")

    at_ms: Instant | None = Field(default=None, description="now or later; without it now")


class AssignmentParameters(PageParameters):
    """Which assignments to list."""

    area: AreaName | None = Field(None, description="Only of this area and what lies below.")
    worker: ShortText | None = Field(None, description="Only of the worker with this login.")
    at_ms: Instant | None = Field(None, description="Only those in force at that time.")
