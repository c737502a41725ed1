"""Knows what was stored, and says what became of it: a hostile request must change nothing."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from server.db.store import Store
from server.db.tables import MutationRow, RecordRow
from server.replication.reproject import compare

Stored = dict[Any, tuple[Any, ...]]


def _records(db: Connection) -> Stored:
    columns = select(RecordRow.id, RecordRow.rev, RecordRow.bucket, RecordRow.hash)
    return {row[0]: tuple(row[1:]) for row in db.execute(columns)}


def _mutations(db: Connection) -> Stored:
    columns = select(
        MutationRow.device_id,
        MutationRow.n,
        MutationRow.body_hash,
        MutationRow.outcome,
        MutationRow.code,
        MutationRow.rev,
        MutationRow.at_ms,
    )
    return {tuple(row[:2]): tuple(row[2:]) for row in db.execute(columns)}


@dataclass
class Witness:
    """What was stored when the witness looked."""

    store: Store
    records: Stored
    mutations: Stored

    @classmethod
    async def of(cls, store: Store) -> "Witness":
        """Look at everything."""
        return cls(store, await store.read(_records), await store.read(_mutations))

    async def again(self) -> "Witness":
        """Look again."""
        return await Witness.of(self.store)

    async def unchanged(self, *, besides: frozenset[str] = frozenset()) -> None:
        """Check that no record changed `besides` some, that no outcome did, that all agrees."""
        now = await self.again()
        for key, seen in self.records.items():
            assert key in besides or now.records.get(key) == seen, key
        for key, seen in self.mutations.items():
            assert now.mutations.get(key) == seen, key
        await self.agrees()

    async def nothing_new(self) -> None:
        """Check that neither a record nor an outcome was added, changed or lost."""
        now = await self.again()
        assert now.records == self.records
        assert now.mutations == self.mutations
        await self.agrees()

    async def agrees(self) -> None:
        """Check that everything derived follows from the truth."""
        assert await self.store.read(lambda db: list(compare(db))) == []
