"""Rebuild what is derived: compare without locks, then repair what differs, bucket by bucket.

A record is derived from its truth. Where that cannot be read, is not there, or is contradicted
by the stored bytes, the mutation log is folded and asked (`retelling`). One bucket is one
transaction under its lock: its writers wait, all others go on. Every step may be repeated.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from server.db.store import Store
from server.replication import queries, rebuild_queries
from server.replication.differences import Difference
from server.replication.examining import CHUNK_ROWS, NOTHING_TOLD, examine
from server.replication.repairing import drop_alone, repair
from server.replication.reproject import without_record
from server.replication.retelling import Retold, retell

JOB_MS = 3_600_000
Told = Callable[[str], None]
_DOUBTS_TRUTH = frozenset(
    {"truth", "body", "digest", "head missing", "projection without record"}
)
"""Differences behind which truth itself may be damaged, so that the log has to be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What differed, and of that what still does: all of it after a dry run."""

    found: tuple[Difference, ...]
    left: tuple[Difference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Survey:
    """What differs, by bucket, and the typed rows that belong to no record."""

    buckets: Mapping[str, tuple[Difference, ...]]
    alone: tuple[Difference, ...]

    @property
    def differences(self) -> tuple[Difference, ...]:
        return (*(each for found in self.buckets.values() for each in found), *self.alone)


async def rebuild(
    store: Store, *, apply: bool, refold: bool, told: Told, now_ms: int
) -> Rebuilt:
    """Find what does not follow, and with `apply` write what does.

    With `refold` the log is asked even if nothing speaks against truth. `told` hears a line
    about each piece of work; it holds ids and names, never values.
    """
    first = await _survey(store)
    retold = NOTHING_TOLD
    if refold or any(each.what in _DOUBTS_TRUTH for each in first.differences):
        told("folding the mutation log")
        asked = frozenset(each.record for each in first.differences if each.kind != "bucket")
        retold = await store.read(lambda db: retell(db, asked), timeout_ms=JOB_MS)
    # A bucket that a record strayed from may need it back first.
    faulty = [*retold.strayed, *sorted(first.buckets.keys() - retold.strayed.keys())]
    seen = _Survey(
        buckets=await _examined(store, faulty, retold),
        alone=tuple(_unexplained(first.alone, retold)),
    )
    found = (*seen.differences, *retold.damage)
    if not apply:
        return Rebuilt(found=found, left=found)
    await _repair_all(store, faulty, retold, told=told, now_ms=now_ms)
    if not retold.damage:
        await _drop_all(store, seen.alone, told=told)
    last = await _survey(store)
    return Rebuilt(found=found, left=(*last.differences, *retold.damage))


async def _survey(store: Store) -> _Survey:
    buckets = await store.read(rebuild_queries.all_buckets, timeout_ms=JOB_MS)
    found = await _examined(store, buckets, NOTHING_TOLD)
    alone = await store.read(lambda db: tuple(without_record(db)), timeout_ms=JOB_MS)
    return _Survey(buckets=found, alone=alone)


async def _examined(
    store: Store, buckets: Sequence[str], retold: Retold
) -> dict[str, tuple[Difference, ...]]:
    """What differs in each of `buckets` that differs, one snapshot a bucket."""
    found = {
        bucket: await store.read(
            partial(_differences, bucket=bucket, retold=retold), timeout_ms=JOB_MS
        )
        for bucket in buckets
    }
    return {bucket: differences for bucket, differences in found.items() if differences}


def _differences(db: Connection, *, bucket: str, retold: Retold) -> tuple[Difference, ...]:
    head = queries.bucket_heads(db, [bucket]).get(bucket)
    return tuple(examine(db, bucket, head, retold).differences())


def _unexplained(alone: Iterable[Difference], retold: Retold) -> Iterable[Difference]:
    """Typed rows of which the log does not say either that there is such a record."""
    for each in alone:
        record = retold.records.get(each.record)
        if record is None or record.kind != each.kind:
            yield each


async def _repair_all(
    store: Store, buckets: Iterable[str], retold: Retold, *, told: Told, now_ms: int
) -> None:
    for bucket in buckets:
        done = await store.write(
            partial(repair, bucket=bucket, told=retold, now_ms=now_ms), timeout_ms=JOB_MS
        )
        began = "" if done.epoch is None else f", new epoch {done.epoch}"
        told(
            f"bucket {bucket}: wrote {done.records} records, {done.typed} typed rows, "
            f"dropped {done.exits} exits{began}"
        )


async def _drop_all(store: Store, alone: Sequence[Difference], *, told: Told) -> None:
    by_kind: dict[str, list[str]] = {}
    for each in alone:
        by_kind.setdefault(each.kind, []).append(each.record)
    for kind, ids in by_kind.items():
        for at in range(0, len(ids), CHUNK_ROWS):
            chunk = ids[at : at + CHUNK_ROWS]
            done = await store.write(partial(drop_alone, kind=kind, ids=chunk))
            told(f"{kind}: dropped {done} typed rows without a record")
