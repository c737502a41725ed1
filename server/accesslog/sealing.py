"""Seal what was noted, write the end of the chain outside the database, and verify both."""

import asyncio
import logging
import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from server.accesslog import queries
from server.accesslog.chain import Mark, Walk, sealed, unfindable
from server.db.store import Store, StoreBusy

EVERY_S: Final = 60
VERIFYING_MS: Final = 3_600_000
_LOG = logging.getLogger("jingwei.accesslog")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a verification looked at, and what it found wrong.

    `unanchored` entries were sealed after the last anchor: nothing outside knows them.
    """

    entries: int
    anchors: int
    unsealed: int
    unanchored: int
    faults: tuple[str, ...]


def seal_some(db: Connection) -> Mark | None:
    """Seal at most one chunk; return the new end of the chain, None if nothing waited."""
    head = queries.locked_head(db)
    waiting = queries.unsealed(db)
    if not waiting:
        return None
    done = sealed(head, waiting)
    queries.seal(db, done)
    return Mark(done[-1].seq, done[-1].hash)


async def seal_all(store: Store, anchor: Path | None) -> int:
    """Seal everything that waits, anchor the end, and return its number (0: nothing waited)."""
    last: Mark | None = None
    while (done := await store.write(seal_some)) is not None:
        last = done
    if anchor is not None:
        # Also an end that was sealed by a process that stopped before it wrote it outside.
        _, head = await store.read(queries.ends)
        await asyncio.to_thread(_append, anchor, head)
    return 0 if last is None else last.seq


def _append(anchor: Path, mark: Mark) -> None:
    """Write a mark to the end of the anchor file unless it is the last one there."""
    line = f"{mark.seq} {mark.hash}\n"
    if mark.seq == 0 or _ends_with(anchor, line):
        return
    anchor.parent.mkdir(parents=True, exist_ok=True)
    with anchor.open("a", encoding="ascii") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def _ends_with(anchor: Path, line: str) -> bool:
    try:
        with anchor.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - len(line)))
            return file.read() == line.encode()
    except FileNotFoundError:
        return False


def anchors_in(path: Path) -> dict[int, str]:
    """Return the marks of an anchor file; the first of a number counts.

    Raises:
        ValueError: if a line is not a mark.
        OSError: if the file cannot be read.
    """
    marks: dict[int, str] = {}
    with path.open(encoding="ascii") as file:
        for number, line in enumerate(file, 1):
            seq, _, digest = line.strip().partition(" ")
            if not seq.isdigit() or len(digest) != 64:
                raise ValueError(f"line {number} of the anchor file is not a mark")
            marks.setdefault(int(seq), digest)
    return marks


def verify(db: Connection, anchors: dict[int, str]) -> Verified:
    """Walk along the whole chain and compare it with its head and with the anchors."""
    base, head = queries.ends(db)
    walk, entries = Walk(base, anchors), 0
    lost: list[str] = []
    sealed_entries = queries.sealed_entries(db)
    while some := list(islice(sealed_entries, queries.CHUNK)):
        for each in some:
            walk.step(each)
        lost += unfindable(some, queries.found_by(db, [each.noted.id for each in some]))
        entries += len(some)
    stray = queries.count_stray_ways(db)
    if stray:
        lost.append(f"{stray} ways from records lead to no entry")
    return Verified(
        entries=entries,
        anchors=len(anchors),
        unsealed=queries.count_unsealed(db),
        unanchored=head.seq - max((each for each in anchors if each <= head.seq), default=0),
        faults=(*walk.faults(head), *lost),
    )


async def keep_sealing(store: Store, anchor: Path | None, *, every_s: float = EVERY_S) -> None:
    """Seal again and again, for ever. Several processes may do so: the head lets one in."""
    while True:
        await asyncio.sleep(every_s)
        try:
            await seal_all(store, anchor)
        except (StoreBusy, OSError):
            _LOG.warning("the access log could not be sealed now; it is tried again")
