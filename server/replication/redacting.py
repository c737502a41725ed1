"""What is said of people who were erased is answered, and its content is not stored."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from sqlalchemy import Connection

from server.db.bulk import Upsert
from server.replication import queries
from server.replication.gather import Batch
from sync.erasing import redacted_body, spoken_of
from sync.mutation import Malformed, Mutation
from sync.outcome import Code
from sync.push import Plan
from sync.record import Record
from sync.state import is_erased


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """The n of a batch that speak of erased records, and which records those are."""

    numbers: frozenset[int]
    erased: frozenset[str]

    @classmethod
    def of(
        cls, db: Connection, batch: Batch, plan: Plan, records: Mapping[str, Record]
    ) -> Self:
        """Look through what a plan settles; only what could not be read costs a question."""
        about = {each.n: _about(each) for each in batch.mutations}
        erased = {key for key, each in {**records, **plan.writes}.items() if is_erased(each)}
        unread = {
            record
            for each in batch.mutations
            if isinstance(each, Malformed) or each.n in batch.faulty
            for record in about[each.n]
        }
        if unread:
            erased |= queries.erased_among(db, unread)
        numbers = frozenset(
            each.n
            for each in plan.settled
            if each.code is Code.ERASED or not erased.isdisjoint(about[each.n])
        )
        return cls(numbers=numbers, erased=frozenset(erased))

    def redacted(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a row of the log as it may be kept; the hash stays that of what was sent."""
        if row["n"] not in self.numbers:
            return row
        return row | {"body": redacted_body(row["body"]), "place": None}

    def without_notes(self, queue: Upsert) -> Upsert:
        """Return rows of the queue without what a person wrote about erased records."""
        return replace(queue, rows=[self._unnoted(row) for row in queue.rows])

    def _unnoted(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        if row["record_id"] in self.erased or row["became_code"] == Code.ERASED:
            return {**row, "note": None}
        return row


def _about(item: Mutation | Malformed) -> frozenset[str]:
    if isinstance(item, Mutation):
        return frozenset(spoken_of(item))
    return frozenset() if item.record is None else frozenset({item.record})
