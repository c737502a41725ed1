"""Stripping a finished upload in a child process that can be killed."""

import asyncio
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.media import stripping
from server.problems import ServiceUnavailable
from server.upload_problems import StorageFull

WALL_S: Final = 120.0
_TYPE_BYTES_MAX: Final = 100
_REFUSALS: Final = {
    stripping.OTHER_TYPE: "type",
    stripping.UNREADABLE: "unreadable",
    stripping.TOO_MANY_PIXELS: "pixels",
    stripping.TOO_COSTLY: "effort",
    -signal.SIGXCPU: "effort",
    -signal.SIGSEGV: "unreadable",
    -signal.SIGBUS: "unreadable",
    -signal.SIGABRT: "unreadable",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """What stripping made of a file: its media type, or the code why it cannot be kept."""

    media_type: str = ""
    refused: str | None = None


async def clean(
    source: Path, target: Path, *, pixels_max: int, cpu_s: int = stripping.CPU_S
) -> Cleaned:
    """Write `source` without metadata to `target`, in at most `cpu_s` seconds of a processor.

    The verdict depends on the bytes alone: it is the same on the next day. The time is five
    times what a picture of 50 megapixels takes, so that no slow machine refuses an honest one.

    Raises:
        StorageFull: if there is no room for the result.
        ServiceUnavailable: if the machine is too busy, or the process was killed from outside.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-m",
        "server.media.stripping",
        str(source),
        str(target),
        str(pixels_max),
        str(cpu_s),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(WALL_S):
            said, _ = await child.communicate()
    except TimeoutError:
        raise ServiceUnavailable("The photo could not be looked at in time.") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return _verdict(child.returncode, said)


def _verdict(code: int | None, said: bytes) -> Cleaned:
    if code == stripping.DONE:
        return Cleaned(media_type=said[:_TYPE_BYTES_MAX].decode("ascii"))
    if code == stripping.NO_ROOM:
        raise StorageFull
    if code in _REFUSALS:
        return Cleaned(refused=_REFUSALS[code])
    raise ServiceUnavailable("The photo could not be looked at.")
