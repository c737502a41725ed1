"""A phone that can die between any two statements, and come back from what lies in its file.

Death is what `kill -9` or an empty battery is: the files are taken as they lie at that moment,
with the write-ahead log and whatever half of a transaction is in it, and a new phone opens
them. Nothing of the old object is used again.
"""

import random
import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import httpx

from clients.phone import Phone, SteppedClock
from tests.simulation.links import Link


class PowerCut(BaseException):
    """The phone stopped here; no code of it runs any more."""


class Fuse:
    """A phone's connection to its file, which can be set to blow before a statement.

    `count` is how many statements were executed, `left` how many more may be; None is no limit.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._blown = False
        self.count = 0
        self.left: int | None = None

    def _burn(self) -> None:
        if self.left == 0:
            self._blown = True
        if self._blown:
            raise PowerCut
        self.count += 1
        if self.left is not None:
            self.left -= 1

    def execute(self, statement: str, values: Iterable[Any] = ()) -> sqlite3.Cursor:
        self._burn()
        return self._connection.execute(statement, tuple(values))

    def executemany(self, statement: str, rows: Iterable[Any]) -> sqlite3.Cursor:
        self._burn()
        return self._connection.executemany(statement, rows)

    def close(self) -> None:
        self._connection.close()


class Replica:
    """One phone in the hands of one worker: its file, clocks, link, and what was done on it.

    `facts` are the records its worker was told are written down. `ready` says whether it ever
    got an identity. `damaged` says that what it holds may differ from what it was sent, so
    that comparing anew is no sign of a mistake.
    """

    def __init__(
        self, number: int, *, worker: str, folder: Path, link: Link, seed: int, wall_ms: int
    ) -> None:
        self.number = number
        self.worker = worker
        self.link = link
        self.clock = SteppedClock(wall_ms=wall_ms, boot=f"boot-{number}-0")
        self.facts: set[str] = set()
        self.damaged = False
        self.deaths = 0
        self._boots = 0
        self._files = 0
        self._folder = folder
        self._seed = seed
        self._kept: tuple[Path, frozenset[str]] | None = None
        self._http = httpx.Client(transport=link, base_url="http://model")
        self._path = self._next_path()
        self._open()
        self.phone.enrol("", worker)

    def _next_path(self) -> Path:
        self._files += 1
        return self._folder / f"phone-{self.number}-{self._files}.db"

    def _open(self) -> None:
        chance = random.Random(f"{self._seed}/{self.number}/{self._files}")  # noqa: S311
        self.phone = Phone(self._path, self._http, clock=self.clock, chance=chance)
        self.fuse = Fuse(self.phone._store._db)
        self.phone._store._db = cast("sqlite3.Connection", self.fuse)

    def _copy(self) -> Path:
        copy = self._next_path()
        shutil.copyfile(self._path, copy)
        log = self._path.with_name(f"{self._path.name}-wal")
        if log.exists():
            shutil.copyfile(log, copy.with_name(f"{copy.name}-wal"))
        return copy

    def die(self) -> None:
        """Stop as if the battery had been taken out, and start again from the files."""
        self.deaths += 1
        copy = self._copy()
        self.close()
        self._path = copy
        self._open()

    def reboot(self) -> None:
        """Start the whole phone anew: another boot, uptime from zero."""
        self._boots += 1
        self.clock.reboot(f"boot-{self.number}-{self._boots}")
        self.die()

    def keep_copy(self) -> None:
        """Copy the phone's file, as its owner's computer does at night."""
        self._kept = self._copy(), frozenset(self.facts)

    def put_back(self, known: Iterable[str]) -> bool:
        """Go back to the copy, if there is one; what lay only on the phone since is gone.

        `known` are the records that the server has, which are not gone.
        """
        if self._kept is None:
            return False
        path, facts = self._kept
        self.facts = set(facts) | (self.facts & set(known))
        self.damaged = True
        self.close()
        self._path = path
        copy = self._copy()
        self._path = copy
        self._open()
        return True

    def close(self) -> None:
        """Let go of the file without a word: what was not committed is not there."""
        self.fuse.close()
