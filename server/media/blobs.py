"""Where finished photos are kept: a folder, or any S3 API.

A blob is written once under a key that is never used again, so nobody ever reads half of one,
and removing an old one cannot hit a new one.
"""

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store
from typing_extensions import override

from server.media.partials import problem_of_disk
from server.problems import NotFound, ServiceUnavailable

PIECE_BYTES = 256 * 1024
OBJECT_PREFIX = "media"
_UNFINISHED = ".part"


class Blobs(ABC):
    """A store of blobs by key; keys are ids made by the server."""

    @abstractmethod
    async def put(self, key: str, path: Path) -> None:
        """Store the file at `path`; when this returns, it is durable. Repeating it is safe.

        Raises:
            StorageFull: if there is no room.
            ServiceUnavailable: if the store cannot be reached.
        """

    @abstractmethod
    def read(self, key: str, start: int, length: int) -> AsyncIterator[bytes]:
        """Yield `length` bytes from `start` on, in pieces.

        Raises:
            NotFound: if there is no such blob.
            ServiceUnavailable: if the store cannot be reached.
        """

    @abstractmethod
    async def delete(self, key: str) -> None:
        """Remove a blob; one that is not there is removed already.

        Raises:
            ServiceUnavailable: if the store cannot be reached.
        """


class FolderBlobs(Blobs):
    """Blobs as files, spread over subfolders by the last characters of their keys."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, key: str) -> Path:
        """Where a blob is."""
        return self._folder / key[-2:] / key

    @override
    async def put(self, key: str, path: Path) -> None:
        try:
            await asyncio.to_thread(self._put, key, path)
        except OSError as error:
            raise problem_of_disk(error) from error

    def _put(self, key: str, path: Path) -> None:
        target = self.path(key)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = target.with_suffix(_UNFINISHED)
        try:
            with path.open("rb") as source, unfinished.open("wb") as copy:
                while piece := source.read(PIECE_BYTES):
                    copy.write(piece)
                copy.flush()
                os.fsync(copy.fileno())
            unfinished.replace(target)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        for folder in (target.parent, self._folder):
            _sync_folder(folder)

    @override
    async def read(self, key: str, start: int, length: int) -> AsyncIterator[bytes]:
        try:
            source = await asyncio.to_thread(self.path(key).open, "rb")
        except FileNotFoundError:
            raise NotFound from None
        with source:
            source.seek(start)
            while length > 0:
                piece = await asyncio.to_thread(source.read, min(length, PIECE_BYTES))
                if not piece:
                    return
                length -= len(piece)
                yield piece

    @override
    async def delete(self, key: str) -> None:
        try:
            await asyncio.to_thread(self._delete, key)
        except OSError as error:
            raise problem_of_disk(error) from error

    def _delete(self, key: str) -> None:
        path = self.path(key)
        for each in (path, path.with_suffix(_UNFINISHED)):  # a server died while it wrote it
            each.unlink(missing_ok=True)


class ObjectBlobs(Blobs):
    """Blobs as objects of a bucket."""

    def __init__(self, store: Any) -> None:
        self._store = store

    @override
    async def put(self, key: str, path: Path) -> None:
        try:
            await obstore.put_async(self._store, _object(key), path)
        except BaseError as error:
            raise ServiceUnavailable from error

    @override
    async def read(self, key: str, start: int, length: int) -> AsyncIterator[bytes]:
        while length > 0:
            piece = await self._range(key, start, min(length, PIECE_BYTES))
            start += len(piece)
            length -= len(piece)
            yield piece

    async def _range(self, key: str, start: int, length: int) -> bytes:
        try:
            found = await obstore.get_range_async(
                self._store, _object(key), start=start, length=length
            )
        except (FileNotFoundError, NotFoundError):
            raise NotFound from None
        except BaseError as error:
            raise ServiceUnavailable from error
        return bytes(found)

    @override
    async def delete(self, key: str) -> None:
        try:
            await obstore.delete_async(self._store, _object(key))
        except (FileNotFoundError, NotFoundError):
            return
        except BaseError as error:
            raise ServiceUnavailable from error


def open_blobs(url: str) -> Blobs:
    """Return the store that `url` names: a folder, `file:///folder`, or `s3://bucket/prefix`.

    Credentials, region and endpoint of an S3 API come from the usual `AWS_…` variables.

    Raises:
        ValueError: if `url` is of another kind.
    """
    parts = urlsplit(url)
    if parts.scheme == "s3":
        return ObjectBlobs(
            S3Store.from_url(url, retry_config={"max_retries": 2}, client_options=_client())
        )
    if parts.scheme in {"", "file"}:
        return FolderBlobs(Path(parts.path))
    raise ValueError("JINGWEI_MEDIA_URL must be a folder or s3://bucket/prefix")


def _client() -> Any:
    """Return the limits of a connection; without TLS only if the environment says so."""
    plain = os.environ.get("AWS_ALLOW_HTTP", "").lower() == "true"
    return {"timeout": "30s", "connect_timeout": "5s", "allow_http": plain}


def _object(key: str) -> str:
    return f"{OBJECT_PREFIX}/{key[-2:]}/{key}"


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
