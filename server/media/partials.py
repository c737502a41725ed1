"""Files of unfinished uploads. How far an upload came is the size of its file.

There is no side file that could disagree: bytes are written at the end, made durable, and only
then acknowledged. A lock on the file keeps a second writer out, in this process or another, and
dies with its process.
"""

import asyncio
import errno
import fcntl
import hashlib
import os
import threading
from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from starlette.requests import ClientDisconnect

from server.media.tus import Checksum
from server.problems import (
    BodyTimeout,
    BodyTooLarge,
    MalformedBody,
    NotFound,
    Problem,
    ServiceUnavailable,
)
from server.upload_problems import ChecksumMismatch, StorageFull, UploadLocked

WRITE_BYTES = 256 * 1024
_BROKEN_OFF = (ClientDisconnect, BodyTimeout)
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Partial:
    """The locked file of one upload.

    A write that a cancelled request left running in its thread ends before the file closes, and
    none begins after: the number of a closed file may already mean another one.
    """

    def __init__(self, fd: int, *, size: int) -> None:
        self.size = size
        self._fd = fd
        self._open = True
        self._using = threading.Lock()

    def append(self, piece: bytes) -> None:
        """Write `piece` at the end; it is not durable before `sync`."""
        view = memoryview(piece)
        with self._using:
            while view and self._open:
                written = os.pwrite(self._fd, view, self.size)
                self.size += written
                view = view[written:]

    def sync(self) -> None:
        """Make what was written durable."""
        with self._using:
            if self._open:
                os.fsync(self._fd)

    def cut(self, size: int) -> None:
        """Forget everything after `size`."""
        with self._using:
            if self._open:
                os.ftruncate(self._fd, size)
                self.size = size

    def close(self) -> None:
        """Let go of the file and its lock."""
        with self._using:
            self._open = False
            os.close(self._fd)

    def sha256(self) -> str:
        """Return the hash of the whole file in hexadecimal."""
        digest, at = hashlib.sha256(), 0
        with self._using:
            while self._open and (piece := os.pread(self._fd, WRITE_BYTES, at)):
                digest.update(piece)
                at += len(piece)
        return digest.hexdigest()


class Partials:
    """The folder of unfinished uploads, made when the first one comes."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def path(self, upload: str) -> Path:
        """Where the bytes of an upload are."""
        return self.folder / upload

    def cleaned(self, upload: str) -> Path:
        """Where the stripped picture of an upload is, until it is stored."""
        return self.folder / f"{upload}.clean"

    def size(self, upload: str) -> int:
        """How many bytes of an upload are there."""
        try:
            return self.path(upload).stat().st_size
        except FileNotFoundError:
            return 0

    def last_byte_ms(self, upload: str) -> int | None:
        """When the file was last written to; None if nothing ever came."""
        try:
            return self.path(upload).stat().st_mtime_ns // 1_000_000
        except FileNotFoundError:
            return None

    def drop(self, upload: str) -> None:
        """Remove what is left of an upload."""
        for path in (self.path(upload), self.cleaned(upload)):
            path.unlink(missing_ok=True)

    def names(self, *, before_ms: int) -> list[str]:
        """Names of files that were last written to before `before_ms`, sorted."""
        if not self.folder.is_dir():
            return []
        return sorted(
            each.name
            for each in self.folder.iterdir()
            if each.stat().st_mtime_ns // 1_000_000 < before_ms
        )

    def remove(self, name: str) -> None:
        """Remove one file that `names` told of."""
        (self.folder / name).unlink(missing_ok=True)

    @contextmanager
    def locked(self, upload: str) -> Iterator[Partial]:
        """Hold the file of an upload, empty if nothing came yet; nobody else may meanwhile.

        Raises:
            UploadLocked: at once, if somebody else holds it.
            StorageFull: if not even an empty file can be made.
        """
        with _translated():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(self.path(upload), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        partial = Partial(fd, size=0)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UploadLocked from None
            found = os.fstat(fd)
            if found.st_nlink == 0:  # it was finished or dropped between the two calls
                raise NotFound
            partial.size = found.st_size
            yield partial
        finally:
            partial.close()


async def receive(
    partial: Partial,
    pieces: AsyncIterable[bytes],
    *,
    room: int,
    checksum: Checksum | None,
) -> None:
    """Append a chunk of at most `room` bytes and make it durable.

    A chunk that breaks off is kept as far as it came, unless it has a checksum, which can then
    not be compared. After any other failure the file is as long as before.

    Raises:
        BodyTooLarge: if the chunk goes beyond the announced size.
        ChecksumMismatch: if it does not have its checksum.
        StorageFull: if the disk is full.
        ServiceUnavailable: if the disk fails; what was not made durable is given up.
    """
    start = partial.size
    try:
        await _append(partial, pieces, room=room, checksum=checksum)
        await asyncio.to_thread(partial.sync)
    except BaseException as error:
        _settle(partial, start, keep=checksum is None and isinstance(error, _BROKEN_OFF))
        if isinstance(error, OSError):
            raise problem_of_disk(error) from error
        if isinstance(error, ClientDisconnect):
            raise MalformedBody("The connection was closed inside a chunk.") from None
        raise


def _settle(partial: Partial, start: int, *, keep: bool) -> None:
    """Leave the file in a state that may be told: durable to its end, or as it was.

    After a failed fsync nobody knows which bytes are on the disk, so none of them are kept.
    """
    try:
        if keep:
            partial.sync()
        else:
            partial.cut(start)
    except OSError:
        with suppress(OSError):
            partial.cut(start)


async def _append(
    partial: Partial, pieces: AsyncIterable[bytes], *, room: int, checksum: Checksum | None
) -> None:
    digest = None if checksum is None else hashlib.new(checksum.algorithm)
    arrived = 0
    held = bytearray()
    try:
        async for piece in pieces:
            arrived += len(piece)
            if arrived > room:
                raise BodyTooLarge("It goes beyond the announced size.", limit_bytes=room)
            if digest is not None:
                digest.update(piece)
            held += piece
            if len(held) >= WRITE_BYTES:
                await asyncio.to_thread(partial.append, bytes(held))
                held.clear()
    except _BROKEN_OFF:
        partial.append(bytes(held))
        raise
    await asyncio.to_thread(partial.append, bytes(held))
    if digest is not None and checksum is not None and digest.digest() != checksum.digest:
        raise ChecksumMismatch


def problem_of_disk(error: OSError) -> Problem:
    """Return what a caller is told when the disk failed."""
    return StorageFull() if error.errno in _NO_ROOM else ServiceUnavailable()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise problem_of_disk(error) from error


def sha256_of(path: Path) -> tuple[int, str]:
    """Return the size of a file and its hash in hexadecimal."""
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256")
        return opened.tell(), digest.hexdigest()
