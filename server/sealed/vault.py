"""The vault: a folder of wrapped data keys, one file each, outside the database.

It must not be saved with the database: a key that is destroyed here makes every backup of the
values it sealed unreadable, but only if no backup holds the key. All processes that answer for
one database share it. A lock file keeps a key that is wrapped anew from coming back after it
was destroyed meanwhile.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from server.clock import new_id
from server.sealed.problems import SealingUnavailable

BYTES_MAX: Final = 1_024


class Vault:
    """Wrapped data keys by id. What is written is on the disk before a call returns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, key_id: str) -> bytes | None:
        """Return a wrapped key, None if there is none.

        Raises:
            SealingUnavailable: if the folder does not answer.
        """
        try:
            with self._path(key_id).open("rb") as file:
                return file.read(BYTES_MAX)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SealingUnavailable("The vault does not answer.") from error

    def create(self, key_id: str, wrapped: bytes) -> bytes:
        """Put a wrapped key under an id that has none, and return the one that is there then.

        Of several callers one puts its key there, and all of them get that one.
        """
        with self._locked():
            found = self.read(key_id)
            if found is None:
                self._write(key_id, wrapped)
        return wrapped if found is None else found

    def replace(self, key_id: str, old: bytes, new: bytes) -> bool:
        """Put `new` in the place of `old`; False if `old` is not there any more."""
        with self._locked():
            if self.read(key_id) != old:
                return False
            self._write(key_id, new)
        return True

    def destroy(self, key_id: str) -> None:
        """Remove a key for good; safe to repeat."""
        with self._locked():
            path = self._path(key_id)
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                _sync(path.parent)

    def _path(self, key_id: str) -> Path:
        return self._folder / key_id[-2:] / key_id

    def _write(self, key_id: str, wrapped: bytes) -> None:
        path = self._path(key_id)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        waiting = path.with_name(f".{new_id()}")
        handle = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(wrapped)
            file.flush()
            os.fsync(file.fileno())
        waiting.replace(path)
        _sync(path.parent)
        _sync(self._folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (self._folder / "lock").open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise SealingUnavailable("The vault cannot be written.") from error


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
