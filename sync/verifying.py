"""When what is held of a household was last seen to be so: a visit that was done says it."""

from sync.record import Record
from sync.sheet import Deed, Sheet
from sync.state import live_value


def note_verified(sheet: Sheet, created: Record, deed: Deed) -> None:
    """Let a new record that is a visit which was done verify its household, if it is later.

    Whatever the order in which visits are heard of, the latest of them counts.
    """
    if created.kind != "visit" or live_value(created, "outcome") != "done":
        return
    household = sheet.of_kind(live_value(created, "household"), "household")
    at_ms = live_value(created, "visited_at_ms")
    if household is not None and (live_value(household, "last_verified_ms") or 0) < at_ms:
        sheet.revise(household, deed, values={"last_verified_ms": at_ms})
