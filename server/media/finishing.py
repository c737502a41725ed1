"""From the last byte of an upload to a photo that can be seen.

The hash is verified, the picture stripped, the result stored, and then one transaction makes it
visible. Every step can be repeated: an upload whose server died in between is finished by
the next request about it.
"""

import asyncio
from typing import Any

from sqlalchemy import Connection

from server.db.store import Store
from server.media import queries
from server.media.cleaning import Cleaned, clean
from server.media.partials import Partial, sha256_of
from server.media.queries import MediaRow
from server.media.store import MediaStore
from server.problems import NotFound, ServiceUnavailable
from server.upload_problems import HashMismatch, MediaRefused, UploadLocked

_HASH = "sha256:"
_KNOWN_OTHERWISE = frozenset({"refused", "erased"})


async def finish(
    store: Store, media: MediaStore, upload: MediaRow, partial: Partial, *, now_ms: int
) -> None:
    """Make a complete upload visible under its hash. The caller holds the file's lock.

    Raises:
        HashMismatch: if the bytes are others than announced. The upload is gone.
        MediaRefused: if they cannot be kept. The upload is gone, and they are not asked for.
        StorageFull, ServiceUnavailable: if it cannot be done now. The upload stays complete.
    """
    if _HASH + await asyncio.to_thread(partial.sha256) != upload.hash:
        await abandon(store, media, upload)
        raise HashMismatch
    known = await store.read(lambda db: queries.blob_with(db, upload.hash))
    if known is None:
        cleaned = await _cleaned(media, upload)
        row = await _kept(media, upload, cleaned, now_ms=now_ms)
        known = await store.write(lambda db: _noted(db, row))
    if known.blob != upload.id:  # another was quicker, maybe since a server died after storing
        await media.blobs.delete(upload.id)
    if known.state in _KNOWN_OTHERWISE:
        await abandon(store, media, upload)
        raise MediaRefused(code=known.code or known.state)
    if known.state == "dropping":
        raise ServiceUnavailable
    if known.media_type != upload.media_type:
        await abandon(store, media, upload)
        raise MediaRefused("It is not of the announced type.", code="type")
    await store.write(lambda db: _done(db, upload, now_ms))
    media.partials.drop(upload.id)


async def _cleaned(media: MediaStore, upload: MediaRow) -> Cleaned:
    async with media.cleaning:
        return await clean(
            media.partials.path(upload.id),
            media.partials.cleaned(upload.id),
            pixels_max=media.limits.photo_pixels,
        )


async def _kept(
    media: MediaStore, upload: MediaRow, cleaned: Cleaned, *, now_ms: int
) -> dict[str, Any]:
    """Store the stripped bytes, if there are any, and return the row that tells of them."""
    row = {
        "hash": upload.hash,
        "state": "stored",
        "code": cleaned.refused,
        "media_type": cleaned.media_type,
        "size": upload.size,
        "served_hash": None,
        "served_size": None,
        "blob": None,
        "attached": False,
        "stored_ms": now_ms,
        "drop_ms": None,
    }
    if cleaned.refused is not None:
        return row | {"state": "refused", "media_type": None}
    path = media.partials.cleaned(upload.id)
    size, digest = await asyncio.to_thread(sha256_of, path)
    await media.blobs.put(upload.id, path)
    return row | {"served_hash": _HASH + digest, "served_size": size, "blob": upload.id}


def _noted(db: Connection, row: dict[str, Any]) -> MediaRow:
    """Store the row unless somebody else's upload of the same bytes was quicker."""
    queries.add_blob(db, row)
    known = queries.blob_with(db, row["hash"])
    if known is None:
        raise LookupError("a row vanished inside its own transaction")
    return known


def _done(db: Connection, upload: MediaRow, now_ms: int) -> None:
    if not queries.finish_upload(db, upload.id, now_ms):
        raise NotFound
    if not queries.restore_blob(db, upload.hash, now_ms):
        raise ServiceUnavailable
    queries.note_copy(db, upload.hash, upload.account_id, now_ms)


async def abandon(store: Store, media: MediaStore, upload: MediaRow) -> None:
    """Forget an upload with all it left; what is visible stays. The caller holds its lock.

    Its bytes may be in the media store already, if a server died before they became visible.
    """
    known = await store.read(lambda db: queries.blob_with(db, upload.hash))
    if upload.finished_ms is None and (known is None or known.blob != upload.id):
        await media.blobs.delete(upload.id)

    def work(db: Connection) -> None:
        queries.drop_upload(db, upload.id)
        if known is not None and known.state in _KNOWN_OTHERWISE:
            queries.stop_asking(db, upload.hash, upload.account_id)

    await store.write(work)
    media.partials.drop(upload.id)


async def let_go(store: Store, media: MediaStore, upload: str) -> bool:
    """Remove what an upload left that is not known any more; False if somebody holds it.

    A server may have died after it stored the photo and before anything said so. The file of
    the upload goes last: as long as it is there, the next collection looks again.
    """
    try:
        with media.partials.locked(upload):
            if not await store.read(lambda db: queries.is_kept(db, upload)):
                await media.blobs.delete(upload)
            media.partials.drop(upload)
    except (NotFound, UploadLocked):
        return False
    return True
