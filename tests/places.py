"""Where tests put what they throw away: in memory, if the machine has room for it there.

A copy of the template database is some four hundred files. Making them takes ten times as long
on a disk as in memory, and every test with PostgreSQL starts with it.
"""

import os
from pathlib import Path
from typing import Final

IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - only the parent of folders with random names
ROOM_BYTES: Final = 4 * 1024**3
"""More than a whole run has at once: stores, write-ahead logs, photos of the largest size."""


def memory() -> Path | None:
    """Return the folder whose files are in memory; None without one or without room in it."""
    try:
        about = os.statvfs(IN_MEMORY)
    except OSError:
        return None
    return IN_MEMORY if about.f_bavail * about.f_frsize >= ROOM_BYTES else None
