"""Wire models of the calls about devices."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from server.identity.principal import Role

Uuid = Annotated[
    str,
    StringConstraints(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
    ),
]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class DeviceEnrolment(BaseModel):
    """A phone that wants to sync. With an `id` of its own it may repeat the call safely."""

    model_config = ConfigDict(extra="forbid")

    id: Uuid | None = Field(default=None, description="made by the phone, kept for ever")
    name: ShortText = Field(default="phone", description="how its owner calls it")
    app_version: ShortText | None = None


class Revocation(BaseModel):
    """What is known about a phone that is revoked."""

    model_config = ConfigDict(extra="forbid")

    lost_at_ms: int | None = Field(
        default=None,
        ge=0,
        strict=True,
        description="since when it was not in its worker's hands",
    )


class DeviceEnrolled(BaseModel):
    """The device's identity. The token is shown once."""

    id: str
    token: str
    account: str
    settled_through: int


class Whoami(BaseModel):
    """The holder of the token."""

    account: str
    login: str
    role: Role
    area: str
