"""The values that say who is asking and what they may touch."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What an account may do; the area says where."""

    WORKER = "worker"
    DISPATCHER = "dispatcher"
    ANALYST = "analyst"
    ADMIN = "admin"


class DeviceStatus(StrEnum):
    """Whether a device's word counts.

    Revoked and flagged devices are heard but not believed.
    """

    ACTIVE = "active"
    REVOKED = "revoked"
    FLAGGED = "flagged"


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaSpan:
    """An area and the interval `[lo, hi]` of area numbers below it, both ends included."""

    id: str
    lo: int
    hi: int

    def covers(self, area_no: int) -> bool:
        """Say whether `area_no` lies in this area."""
        return self.lo <= area_no <= self.hi


EVERYWHERE = AreaSpan(id="", lo=0, hi=2**63 - 1)
"""The area of an account that has none of its own: the whole tree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is asking. `device` and its status are set only for a device's own token."""

    account: str
    login: str
    role: Role
    area: AreaSpan
    device: str | None = None
    device_status: DeviceStatus | None = None
