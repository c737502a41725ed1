"""The steps of an upload: begin, go on, tell how far it came, give it up."""

from collections.abc import AsyncIterable
from dataclasses import dataclass

from sqlalchemy import Connection

from server.clock import new_id
from server.db.store import Store
from server.identity.principal import Principal
from server.media import queries
from server.media.access import records_shown
from server.media.finishing import abandon, finish, let_go
from server.media.partials import Partial, receive
from server.media.queries import MediaRow
from server.media.store import MediaStore
from server.media.tus import Announced, Checksum
from server.problems import BodyTooLarge, NotFound, TooManyRequests
from server.upload_problems import MediaRefused, OffsetMismatch
from sync.media import DAY_MS

ACCEPTED_TYPES = frozenset({"image/jpeg", "image/png", "image/webp", "audio/wav", "audio/aac"})
EXPIRES_MS = 14 * DAY_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a request about uploads works with: the stores, who asks, and when."""

    store: Store
    media: MediaStore
    principal: Principal
    now_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far an upload is, and until when it is kept without another byte."""

    id: str
    offset: int
    size: int
    expires_ms: int


async def start(desk: Desk, wanted: Announced) -> MediaRow:
    """Store a new upload; it is finished at once if the caller may know that it is there.

    Raises:
        BodyTooLarge: if a file of this size is not taken.
        MediaRefused: if this type, or these very bytes, are not taken.
        TooManyRequests: if the device or the account has used its share.
    """
    limits = desk.media.limits
    if wanted.size > limits.upload_bytes:
        raise BodyTooLarge(limit_bytes=limits.upload_bytes)
    if wanted.media_type not in ACCEPTED_TYPES:
        raise MediaRefused(f"Accepted are {', '.join(sorted(ACCEPTED_TYPES))}.", code="type")
    refused = await desk.store.write(lambda db: _refusal(db, desk, wanted))
    if refused is not None:
        raise MediaRefused(code=refused)
    upload, dropped = await desk.store.write(lambda db: _begun(db, desk, wanted))
    for each in dropped:
        await let_go(desk.store, desk.media, each)
    return await owned(desk, upload)


def _refusal(db: Connection, desk: Desk, wanted: Announced) -> str | None:
    """Return why these bytes are known not to be taken, and stop asking for them."""
    known = queries.blob_with(db, wanted.hash)
    if known is None or known.state not in {"refused", "erased"}:
        return None
    queries.stop_asking(db, wanted.hash, desk.principal.account)
    return str(known.code or known.state)


def _begun(db: Connection, desk: Desk, wanted: Announced) -> tuple[str, list[str]]:
    """Return the id of a new upload, and those of earlier ones that it takes the place of."""
    account, device = desk.principal.account, desk.principal.device
    dropped = queries.drop_earlier(db, wanted.hash, account=account, device=device)
    there = _may_know(db, desk, wanted)
    if there:
        queries.note_copy(db, wanted.hash, account, desk.now_ms)
    else:
        _check_shares(db, desk, wanted)
    upload = new_id()
    queries.add_upload(
        db,
        {
            "id": upload,
            "hash": wanted.hash,
            "account_id": account,
            "device_id": device,
            "size": wanted.size,
            "media_type": wanted.media_type,
            "created_ms": desk.now_ms,
            "finished_ms": desk.now_ms if there else None,
        },
    )
    return upload, dropped


def _may_know(db: Connection, desk: Desk, wanted: Announced) -> bool:
    """Say whether the bytes are there and the caller may know it; such a blob is kept on."""
    found = queries.readable_blob(
        db,
        wanted.hash,
        account=desk.principal.account,
        through=records_shown(db, desk.principal, desk.now_ms),
    )
    if found is None or found.size != wanted.size:
        return False
    return queries.restore_blob(db, wanted.hash, desk.now_ms)


def _check_shares(db: Connection, desk: Desk, wanted: Announced) -> None:
    limits, principal = desk.media.limits, desk.principal
    used = queries.usage(
        db,
        account=principal.account,
        device=principal.device,
        since_ms=desk.now_ms - DAY_MS,
    )
    if used.open >= limits.uploads_open:
        raise TooManyRequests("Finish or give up some of your uploads first.")
    if used.device_bytes + wanted.size > limits.device_upload_bytes:
        raise TooManyRequests("The device has too much unfinished.")
    if used.begun_bytes + wanted.size > limits.account_upload_bytes:
        raise TooManyRequests("The account has sent its share of today.")


async def owned(desk: Desk, upload: str) -> MediaRow:
    """Return the caller's upload with this id; anybody else's does not exist.

    Raises:
        NotFound: if there is none, or it was given up.
    """
    account, device = desk.principal.account, desk.principal.device
    found = await desk.store.ask(
        lambda db: queries.upload_of(db, upload, account=account, device=device)
    )
    if found is None:
        raise NotFound
    return found


async def append(
    desk: Desk,
    upload: MediaRow,
    pieces: AsyncIterable[bytes],
    *,
    offset: int,
    checksum: Checksum | None,
) -> Standing:
    """Append a chunk at `offset` and finish the upload if it was the last one.

    Raises:
        OffsetMismatch: if the upload is elsewhere. Nothing is read or written.
        BodyTooLarge, ChecksumMismatch, StorageFull, …: as `partials.receive` and `finish` say.
    """
    if upload.finished_ms is not None:
        if offset != upload.size:
            raise OffsetMismatch(upload_offset=upload.size)
        return _standing(desk, upload)
    with desk.media.partials.locked(upload.id) as partial:
        upload = await owned(desk, upload.id)
        if upload.finished_ms is not None or offset != partial.size:
            raise OffsetMismatch(upload_offset=partial.size)
        room = upload.size - offset
        await receive(partial, pieces, room=room, checksum=checksum)
        return await _after(desk, upload, partial)


async def _after(desk: Desk, upload: MediaRow, partial: Partial) -> Standing:
    standing = _standing(desk, upload, partial.size)
    if partial.size == upload.size:
        await finish(desk.store, desk.media, upload, partial, now_ms=desk.now_ms)
    return standing


async def standing(desk: Desk, upload: MediaRow) -> Standing:
    """Tell how far an upload came. One that has all its bytes is finished first.

    Raises:
        UploadLocked: if it has all its bytes and another request is finishing it.
        HashMismatch, MediaRefused, …: as `finish` says.
    """
    if upload.finished_ms is not None or desk.media.partials.size(upload.id) < upload.size:
        return _standing(desk, upload)
    with desk.media.partials.locked(upload.id) as partial:
        upload = await owned(desk, upload.id)
        if upload.finished_ms is not None:
            return _standing(desk, upload)
        return await _after(desk, upload, partial)


async def give_up(desk: Desk, upload: MediaRow) -> None:
    """Forget an upload and its bytes; a finished photo stays.

    Raises:
        UploadLocked: if another request is writing to it.
    """
    with desk.media.partials.locked(upload.id):
        await abandon(desk.store, desk.media, upload)


def _standing(desk: Desk, upload: MediaRow, size: int | None = None) -> Standing:
    partials = desk.media.partials
    last_ms = partials.last_byte_ms(upload.id) or upload.created_ms
    done = upload.finished_ms is not None
    reached = partials.size(upload.id) if size is None else size
    return Standing(
        id=upload.id,
        offset=upload.size if done else reached,
        size=upload.size,
        expires_ms=last_ms + EXPIRES_MS,
    )
