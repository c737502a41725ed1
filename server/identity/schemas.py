"""Wire models of the calls about devices."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from server.identity.principal import DeviceStatus, Role

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


class DeviceView(BaseModel):
    """One enrolled device."""

    id: str
    account: str
    login: str
    name: str
    status: DeviceStatus
    settled_through: int
    last_contact_ms: int | None
    app_version: str | None
    created_ms: int
    lost_at_ms: int | None

    @classmethod
    def of(cls, row: Any) -> Self:
        """Return the view of a row of `devices_of`."""
        return cls(
            id=row["id"],
            account=row["account_id"],
            login=row["login"],
            name=row["name"],
            status=DeviceStatus(row["status"]),
            settled_through=row["settled_through"],
            last_contact_ms=row["last_contact_ms"],
            app_version=row["app_version"],
            created_ms=row["created_ms"],
            lost_at_ms=row["lost_at_ms"],
        )


class DeviceList(BaseModel):
    """Enrolled devices, newest first."""

    items: list[DeviceView]


class Whoami(BaseModel):
    """The holder of the token."""

    account: str
    login: str
    role: Role
    area: str
