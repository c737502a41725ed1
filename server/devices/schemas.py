"""Wire models of the view of phones. No place, no hours, no ranking: see docs/privacy.md."""

from typing import Annotated

from pydantic import BaseModel, Field

from server.identity.principal import DeviceStatus
from server.paging import PageParameters
from server.replication.said import DigestState

DAYS_MAX = 3_650
OFFSET_S_MAX = 4_000_000_000


class DeviceParameters(PageParameters):
    """Filters of the list of devices; all given ones must hold."""

    silent_days: Annotated[int, Field(ge=1, le=DAYS_MAX)] | None = Field(
        None, description="Only those that made no contact for so many days."
    )
    failing: bool | None = Field(
        None,
        description="Only those with work that waits for a person, or was invalid in 14 days.",
    )
    offset_above_s: Annotated[int, Field(ge=0, le=OFFSET_S_MAX)] | None = Field(
        None, description="Only those whose clock was off by more seconds, to either side."
    )


class Failures(BaseModel):
    """How much of a device's work did not count: what waits now, and what never will."""

    held: int = Field(description="Waits for a person now.")
    quarantined: int = Field(description="Waits for a person now: whose it is is doubtful.")
    invalid: int = Field(description="Final; counted since the device was enrolled.")


class BucketView(BaseModel):
    """One bucket as the phone last described it, beside the server's own."""

    id: str
    epoch: int
    seq: int
    server_seq: int = Field(description="How far the feed is now.")
    state: DigestState
    since_ms: int = Field(description="Since when the phone says exactly this.")


class DeviceView(BaseModel):
    """One enrolled device, as of its last contact."""

    id: str
    account: str
    login: str
    name: str
    status: DeviceStatus
    settled_through: int
    pending: int = Field(description="Mutations the phone had made and not handed in.")
    failures: Failures
    last_contact_ms: int | None
    offset_ms: int | None = Field(
        description="What has to be added to the phone's clock to get the server's."
    )
    app_version: str | None
    created_ms: int
    lost_at_ms: int | None
    digests: DigestState | None = Field(
        description="The worst state of its buckets; null before it has said any."
    )
    differs_since_ms: int | None = Field(
        description="Since when the phone says a digest that differs; null if none does."
    )


class DeviceDetail(DeviceView):
    """One enrolled device with each bucket it follows."""

    buckets: list[BucketView]
