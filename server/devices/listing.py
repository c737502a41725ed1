"""The list of phones as lines of text, for the command line."""

from collections.abc import Iterator

from sqlalchemy import Connection

from server.devices.queries import Wanted, Whose
from server.devices.reading import phone_page
from server.devices.schemas import DeviceDetail
from server.identity.principal import EVERYWHERE
from server.identity.queries import area_with_code
from sync.rfc3339 import format_wall

CHUNK = 200
HEADING = (
    "device\tlogin\tstatus\tlast contact\tapp\tpending"
    "\theld\tquarantined\tinvalid\tclock offset s\treplica"
)


def device_lines(db: Connection, area: str | None, wanted: Wanted) -> list[str]:
    """Return a heading and one line for each wanted phone of the area, the newest first.

    Raises:
        NotFound: if no area has this code.
    """
    span = EVERYWHERE if area is None else area_with_code(db, area)
    return [HEADING, *(_line(each) for each in _phones(db, Whose(area=span), wanted))]


def _phones(db: Connection, whose: Whose, wanted: Wanted) -> Iterator[DeviceDetail]:
    after: tuple[int, str] | None = None
    while page := phone_page(db, whose, wanted, after=after, limit=CHUNK):
        yield from page
        after = (page[-1].created_ms, page[-1].id)


def _line(phone: DeviceDetail) -> str:
    seen, offset = phone.last_contact_ms, phone.offset_ms
    failures = phone.failures
    return "\t".join(
        (
            phone.id,
            phone.login,
            phone.status.value,
            "never" if seen is None else format_wall(seen),
            phone.app_version or "-",
            str(phone.pending),
            str(failures.held),
            str(failures.quarantined),
            str(failures.invalid),
            "-" if offset is None else str(round(offset / 1_000)),
            "-" if phone.digests is None else phone.digests.value,
        )
    )
