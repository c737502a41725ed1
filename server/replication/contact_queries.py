"""What a contact that brings no work asks about its device, and the one thing it changes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, exists, select, update

from server.db.direct import Direct
from server.replication.media_queries import WANTED
from server.replication.queries import DEVICE, INCARNATION_ID


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a device stands: the columns of its row that a contact judges by."""

    status: str
    settled_through: int
    last_n: int
    lease: str | None
    lease_previous: str | None
    said: str | None


_JUDGED = ("status", "settled_through", "last_n", "lease", "lease_previous", "said")
_CHANGED = (
    "lease",
    "lease_previous",
    "last_contact_ms",
    "last_n",
    "offset_ms",
    "app_version",
    "said",
)
_STANDING = Direct(
    select(
        *(DEVICE.c[name] for name in _JUDGED),
        INCARNATION_ID.scalar_subquery(),
        exists(WANTED),
    ).where(DEVICE.c.id == bindparam("device"))
)
_UNCHANGED = [DEVICE.c[name].is_not_distinct_from(bindparam(f"old_{name}")) for name in _JUDGED]
_NOTED = Direct(
    update(DEVICE)
    .where(DEVICE.c.id == bindparam("device"), *_UNCHANGED)
    .values({name: bindparam(f"new_{name}") for name in _CHANGED})
    .returning(DEVICE.c.settled_through)
)


def standing(db: Connection, device: str, since_ms: int) -> tuple[Standing, str, bool] | None:
    """A device's standing, the store's incarnation, and whether photos are wanted of it.

    Of the photos those that it declared after `since_ms`. None if there is no such device.
    """
    rows = _STANDING.rows(db, {"device": device, "since": since_ms})
    if not rows:
        return None
    *judged, incarnation, wanted = rows[0]
    return Standing(**dict(zip(_JUDGED, judged, strict=True))), str(incarnation), bool(wanted)


def note_contact(
    db: Connection, device: str, seen: Standing, values: Mapping[str, Any]
) -> bool:
    """Store what a contact changes, if the device still stands as it was seen.

    `values` has every column that a contact may change.
    """
    old = {f"old_{name}": value for name, value in asdict(seen).items()}
    new = {f"new_{name}": values[name] for name in _CHANGED}
    return bool(_NOTED.rows(db, {"device": device, **old, **new}))
