"""Removing what is no longer wanted, in small batches; safe to repeat, and to run at once.

Erased photos at once, photos that no record ever named after 30 days, uploads that nobody went
on with 14 days after their last byte. What a record names is never removed.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from server.clock import jitter_s, now_ms
from server.db.store import Store
from server.media import forgetting_queries as queries
from server.media.finishing import abandon, let_go
from server.media.queries import MediaRow
from server.media.store import MediaStore
from server.media.uploading import EXPIRES_MS
from server.problem_answers import log_fault
from server.problems import NotFound
from server.upload_problems import UploadLocked
from sync.fields import is_id
from sync.media import DAY_MS

UNATTACHED_KEPT_MS: Final = 30 * DAY_MS
MARKED_MS: Final = 3_600_000
STRAY_MS: Final = 3_600_000
BATCH: Final = 200
PAUSE_S: Final = 3_600
_LOG = logging.getLogger("jingwei.media")


@dataclass(slots=True, kw_only=True)
class Collected:
    """How many photos, uploads and left-over files were removed."""

    blobs: int = 0
    uploads: int = 0
    files: int = 0


async def collect(store: Store, media: MediaStore, *, now_ms: int) -> Collected:
    """Remove what is no longer wanted and return how much that was.

    Raises:
        StoreBusy, ServiceUnavailable: if a store is away; what was done until then stays done.
    """
    done = Collected()
    await _unattached(store, now_ms)
    await _blobs(store, media, done)
    await _uploads(store, media, done, now_ms=now_ms)
    await _strays(store, media, done, now_ms=now_ms)
    return done


async def keep_collecting(store: Store, media: MediaStore, *, pause_s: float = PAUSE_S) -> None:
    """Collect about every `pause_s`, for ever; a store that is away is tried again next time.

    Every process does it. Two that meet do each other no harm.
    """
    while True:
        await asyncio.sleep(jitter_s(pause_s / 2))
        try:
            done = await collect(store, media, now_ms=now_ms())
        except Exception as error:  # noqa: BLE001 - the next hour may be better
            log_fault(error, "collecting photos")
            continue
        if done != Collected():
            _LOG.info("removed %s", done)


async def _unattached(store: Store, now_ms: int) -> None:
    """Mark what nothing declares; give up what was marked an hour ago and still is alone."""
    while await store.write(lambda db: queries.attach_declared(db, limit=BATCH)) == BATCH:
        pass
    await store.write(
        lambda db: queries.begin_dropping(db, before_ms=now_ms - MARKED_MS, limit=BATCH)
    )
    before_ms = now_ms - UNATTACHED_KEPT_MS
    await store.write(
        lambda db: queries.mark_unattached(db, before_ms=before_ms, now_ms=now_ms, limit=BATCH)
    )


async def _blobs(store: Store, media: MediaStore, done: Collected) -> None:
    while rows := await store.read(lambda db: queries.to_remove(db, limit=BATCH)):
        for row in rows:
            if row.blob is not None:
                await media.blobs.delete(row.blob)
                done.blobs += 1
        await store.write(partial(queries.forget_blobs, hashes=[row.hash for row in rows]))


async def _uploads(store: Store, media: MediaStore, done: Collected, *, now_ms: int) -> None:
    last = ""
    before_ms = now_ms - EXPIRES_MS
    old = partial(queries.old_uploads, before_ms=before_ms, limit=BATCH)
    while rows := await store.read(partial(old, after=last)):
        last = rows[-1].id
        for row in rows:
            if await _expire(store, media, row, before_ms=before_ms):
                done.uploads += 1


async def _expire(store: Store, media: MediaStore, row: MediaRow, *, before_ms: int) -> bool:
    """Forget one old upload unless it got a byte lately or is being written to."""
    last_ms = await asyncio.to_thread(media.partials.last_byte_ms, row.id)
    if last_ms is not None and last_ms >= before_ms:
        return False
    try:
        with media.partials.locked(row.id):
            await abandon(store, media, row)
    except (NotFound, UploadLocked):
        return False
    return True


async def _strays(store: Store, media: MediaStore, done: Collected, *, now_ms: int) -> None:
    """Remove files that belong to no unfinished upload; a server died before it could."""
    names = await asyncio.to_thread(media.partials.names, before_ms=now_ms - STRAY_MS)
    for start in range(0, len(names), BATCH):
        part = names[start : start + BATCH]
        wanted = await _wanted(store, part)
        for name in part:
            if name.partition(".")[0] not in wanted:
                done.files += await _removed(store, media, name)


async def _removed(store: Store, media: MediaStore, name: str) -> bool:
    if is_id(name):
        return await let_go(store, media, name)
    media.partials.remove(name)
    return True


async def _wanted(store: Store, names: Sequence[str]) -> set[str]:
    ids = sorted({each for name in names if is_id(each := name.partition(".")[0])})
    return await store.read(lambda db: queries.unfinished_among(db, ids))
