"""A vector file that arrives over HTTP: kept while it is read, by a process of its own."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from geo.geojson import Feature
from server.imports.cells import FileFault
from server.imports.hints import Hints
from server.imports.reading import hints_json, read_found
from server.imports.shapes import FIRST_BYTES

WALL_S: Final = 120.0
_GEOJSON_STARTS: Final = (b"{", b"\xef\xbb\xbf")
_PIECE_BYTES: Final = 1 << 20
_ENVIRONMENT: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""Threads of these libraries reserve memory each, and nothing here is theirs to compute."""


def suffix_of(start: bytes) -> str:
    """Return what the name of a file ends in that begins so.

    Raises:
        FileFault: if it is of no format that is read.
    """
    for suffix, first in FIRST_BYTES.items():
        # A shapefile alone lacks its companions.
        if suffix != ".shp" and start.startswith(first):
            return suffix
    if start.lstrip()[:3].startswith(_GEOJSON_STARTS):
        return ".geojson"
    known = "GeoJSON, GeoPackage, FlatGeobuf, or a zip with one shapefile"
    raise FileFault("has an unknown format", f"send {known}")


async def read_upload(
    pieces: AsyncIterator[bytes],
    hints: Hints,
    reading: asyncio.Semaphore,
    *,
    wall_s: float = WALL_S,
) -> tuple[Feature, ...]:
    """Return the features of a file that arrives piece by piece; see `shapes.read_features`.

    `reading` bounds how many are read at once; a file that arrives slowly takes no place.

    Raises:
        FileFault: as there, and for a file that takes too long or more than may be taken.
    """
    with TemporaryDirectory(prefix="jingwei-upload-") as folder:
        source = Path(folder) / "arriving"
        start = await _keep(pieces, source)
        named = source.rename(source.with_name(f"grids{suffix_of(start)}"))
        found = Path(folder) / "found"
        async with reading:
            code = await _read(named, found, hints, wall_s)
        if code != 0:
            raise FileFault("takes too long or too much to read", "import it in parts")
        return await asyncio.to_thread(read_found, found)


async def _keep(pieces: AsyncIterator[bytes], target: Path) -> bytes:
    """Write a body down and return how it begins."""
    held = bytearray()
    start = b""
    with target.open("wb") as opened:
        async for piece in pieces:
            held += piece
            if len(held) >= _PIECE_BYTES:
                start = start or bytes(held[:64])
                await asyncio.to_thread(opened.write, bytes(held))
                held.clear()
        start = start or bytes(held[:64])
        opened.write(held)
    return start


async def _read(source: Path, target: Path, hints: Hints, wall_s: float) -> int | None:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-m",
        "server.imports.reading",
        str(source),
        str(target),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env=_ENVIRONMENT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(wall_s):
            await child.communicate(hints_json(hints))
    except TimeoutError:
        return None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return child.returncode
