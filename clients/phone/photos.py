"""The photos a phone keeps until the server has them, in the phone's own file."""

import hashlib
import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """One photo or recording that the phone keeps: `address` is where its upload goes on."""

    hash: str
    media_type: str
    size: int
    address: str | None


class Photos:
    """The table of kept photos; it shares the connection of `Store`, so its transactions."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def keep(self, content: bytes, media_type: str) -> str:
        """Keep a photo and return the hash by which work names it; keeping it twice is once."""
        named = "sha256:" + hashlib.sha256(content).hexdigest()
        self._db.execute(
            "INSERT INTO photo (hash, media_type, content) VALUES (?, ?, ?)"
            " ON CONFLICT (hash) DO NOTHING",
            (named, media_type, content),
        )
        return named

    def find(self, named: str) -> Photo | None:
        """Return a kept photo without its bytes."""
        row = self._db.execute(
            "SELECT hash, media_type, length(content), address FROM photo WHERE hash = ?",
            (named,),
        ).fetchone()
        if row is None:
            return None
        return Photo(hash=row[0], media_type=row[1], size=row[2], address=row[3])

    def kept(self) -> list[str]:
        """Return the hashes of all kept photos, sorted."""
        rows = self._db.execute("SELECT hash FROM photo ORDER BY hash")
        return [row[0] for row in rows]

    def part(self, named: str, start: int, length: int) -> bytes:
        """Return at most `length` bytes of a photo from `start` on."""
        (found,) = self._db.execute(
            "SELECT substr(content, ?, ?) FROM photo WHERE hash = ?", (start + 1, length, named)
        ).fetchone()
        return bytes(found)

    def goes_on_at(self, named: str, address: str | None) -> None:
        """Remember where the upload of a photo goes on; None begins a new one."""
        self._db.execute("UPDATE photo SET address = ? WHERE hash = ?", (address, named))

    def drop(self, named: str) -> None:
        """Forget a photo and its bytes."""
        self._db.execute("DELETE FROM photo WHERE hash = ?", (named,))
