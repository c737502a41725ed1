"""What a console's draft would do, by the same rules, with nothing stored."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from server.replication import queries
from server.replication.consoles import Console, console_author
from server.replication.dependants import ids_below
from server.replication.gather import Wanted, load_records, stored_records
from server.replication.submit import Draft, drafted
from sync.decide import decide
from sync.mutation import Quality
from sync.record import Record
from sync.sheet import Deed, Sheet, Verdict

_NO_DEVICE = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A draft's verdict, the records it would change, and what they are now."""

    verdict: Verdict
    before: Mapping[str, Record]
    after: Mapping[str, Record]


def previewed(db: Connection, console: Console, draft: Draft, *, now_ms: int) -> Preview:
    """Decide a draft on what is stored now, all that belongs to its record included.

    Raises:
        TooManyDependants: if too much belongs to the record.
    """
    mutation = drafted(draft, 1)
    (loaded,) = load_records(db, [Wanted(mutations=[mutation], device=_NO_DEVICE)])
    stored = loaded.stored
    below = ids_below(db, [draft.record]) if draft.record in stored else frozenset()
    if below - loaded.asked:
        stored |= stored_records(db, below - loaded.asked)
    records = {key: each.record for key, each in stored.items()}
    author = console_author(queries.console_of(db, console.account) or _NO_DEVICE, console)
    deed = Deed(author=author, mutation=mutation, at_ms=now_ms, quality=Quality.EXACT)
    sheet = Sheet(records)
    verdict = decide(sheet, deed)
    return Preview(verdict=verdict, before=records, after=sheet.changed)
