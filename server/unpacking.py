"""Look at a zip archive before anything of it is unpacked: how much would come out of it.

Sizes are those of the archive's own directory, and `zipfile` gives out no more than they say,
so what passes here cannot grow beyond the limits while it is read.
"""

import zipfile
from dataclasses import dataclass
from typing import IO

ENCRYPTED = 0x1


class ArchiveFault(Exception):  # noqa: N818 - the archive is at fault, not the program
    """An archive that is not unpacked: why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLimits:
    """What an archive may hold: members, bytes of all together, bytes out of one byte."""

    members: int
    unpacked_bytes: int
    ratio: int


def open_archive(file: IO[bytes], limits: ArchiveLimits) -> zipfile.ZipFile:
    """Return the archive, with nothing of it unpacked yet.

    Raises:
        ArchiveFault: if it is no zip archive, encrypted, or holds more than `limits` allow.
    """
    try:
        archive = zipfile.ZipFile(file)
        members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        raise ArchiveFault("is not a readable archive") from None
    if len(members) > limits.members:
        raise ArchiveFault(f"has more than {limits.members} parts")
    if sum(each.file_size for each in members) > limits.unpacked_bytes:
        raise ArchiveFault(f"unpacks to more than {limits.unpacked_bytes} bytes")
    for each in members:
        if each.flag_bits & ENCRYPTED:
            raise ArchiveFault("is encrypted")
        if each.file_size > limits.ratio * max(each.compress_size, 1):
            raise ArchiveFault(f"is packed more than {limits.ratio} to 1")
    return archive
