"""What belongs to a record and lives where it lives: it follows when the record moves."""

from collections.abc import Iterable, Iterator, Mapping

from sync.kinds import KINDS
from sync.record import Record
from sync.state import live_value, merged_into

LEADERS: Mapping[str, str] = {
    **{kind.name: kind.parents[0] for kind in KINDS.values() if kind.parents},
    "report": "incident",
}
"""Kind to the field that names the record it belongs to."""


def leader_of(record: Record) -> str | None:
    """Return the id of the record that a record belongs to, None if it names none."""
    field = LEADERS.get(record.kind)
    return None if field is None else live_value(record, field)


def leaders_of(record: Record) -> Iterator[str]:
    """Yield the ids of the records that a record belongs to: one that was merged has two."""
    for each in (leader_of(record), merged_into(record)):
        if each is not None:
            yield each


class Family:
    """Who belongs to whom among known records; looked through once, when first asked."""

    __slots__ = ("_below", "_records")

    def __init__(self, records: Mapping[str, Record]) -> None:
        self._records = records
        self._below: dict[str, dict[str, None]] | None = None

    def below(self, record_id: str) -> list[str]:
        """Return the ids of what belongs to a record directly, in the order it was noted."""
        if self._below is None:
            self._below = {}
            self.note(self._records.values())
        noted = self._below.get(record_id, ())
        return [each for each in noted if record_id in leaders_of(self._records[each])]

    def note(self, records: Iterable[Record]) -> None:
        """Take in new or changed records; nothing is done before somebody asked."""
        if self._below is None:
            return
        for record in records:
            for leader in leaders_of(record):
                self._below.setdefault(leader, {})[record.id] = None
