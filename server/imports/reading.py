"""Reads one vector file that came from outside. Runs as a process of its own.

    python -m server.imports.reading SOURCE TARGET < hints.json

Libraries that read foreign formats crash, loop and eat memory on hostile files; here that ends
a process which holds nothing but the file. What it found is written to TARGET: one line of
JSON, then the shapes as well-known binary, one after the other.
"""

import json
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import shapely

from geo.geojson import Feature, Limits
from server.imports.cells import FileFault
from server.imports.hints import Fields, Hints

CPU_S: Final = 30
MEMORY_BYTES: Final = 4 * 2**30
OUTPUT_BYTES: Final = 256 * 2**20


def hints_json(hints: Hints) -> bytes:
    """Return hints as the text the process reads."""
    fields = hints.fields
    told = {
        "crs": hints.crs,
        "encoding": hints.encoding,
        "layer": hints.layer,
        "ground": hints.ground,
        "bytes_max": hints.bytes_max,
        "vertices_max": hints.limits.vertices_max,
        "features_max": hints.limits.features_max,
        "fields": None if fields is None else [fields.code, fields.name, fields.community],
    }
    return json.dumps(told).encode()


def hints_of(told: Mapping[str, Any]) -> Hints:
    """Return what `hints_json` wrote."""
    names = told["fields"]
    return Hints(
        crs=told["crs"],
        encoding=told["encoding"],
        layer=told["layer"],
        ground=None if told["ground"] is None else tuple(told["ground"]),
        bytes_max=told["bytes_max"],
        limits=Limits(vertices_max=told["vertices_max"], features_max=told["features_max"]),
        fields=None
        if names is None
        else Fields(code=names[0], name=names[1], community=names[2]),
    )


def write_found(found: tuple[Feature, ...] | FileFault, target: Path) -> None:
    """Write features, or why there are none."""
    if isinstance(found, FileFault):
        told: dict[str, Any] = {"reason": found.reason, "proposal": found.proposal}
        target.write_bytes(json.dumps(told).encode() + b"\n")
        return
    shapes = [b"" if each.geometry is None else shapely.to_wkb(each.geometry) for each in found]
    told = {
        "properties": [_plain(each.properties) for each in found],
        "sizes": [len(each) for each in shapes],
    }
    target.write_bytes(json.dumps(told).encode() + b"\n" + b"".join(shapes))


def _plain(properties: Mapping[str, Any]) -> dict[str, Any]:
    """What can be a code or a name; the rest of a document is not handed on."""
    return {
        name: value
        for name, value in properties.items()
        if isinstance(value, str) or type(value) is int
    }


def read_found(source: Path) -> tuple[Feature, ...]:
    """Return the features that `write_found` wrote.

    Raises:
        FileFault: if it wrote why there are none.
    """
    head, _, blob = source.read_bytes().partition(b"\n")
    told = json.loads(head)
    if "reason" in told:
        raise FileFault(told["reason"], told["proposal"])
    at, features = 0, []
    for row, (properties, size) in enumerate(
        zip(told["properties"], told["sizes"], strict=True)
    ):
        shape = shapely.from_wkb(blob[at : at + size]) if size else None
        features.append(Feature(geometry=shape, properties=properties, pointer=f"/{row}"))
        at += size
    return tuple(features)


def limit_process() -> None:
    """Bound what this process can take from the machine; it cannot be undone."""
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, OUTPUT_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def main(arguments: list[str]) -> int:
    """Read one file; the exit code is 0 when the target says what became of it."""
    source, target = map(Path, arguments)
    hints = hints_of(json.load(sys.stdin))
    limit_process()
    from server.imports.shapes import read_features  # noqa: PLC0415 - after the limits are set

    found: tuple[Feature, ...] | FileFault
    try:
        found = read_features(source, hints)
    except FileFault as fault:
        found = fault
    write_found(found, target)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
