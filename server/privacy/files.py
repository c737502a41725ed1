"""The names in a file: headings of tables, fields of layers, words of mappings.

No cell and no value of a feature is looked at, and none is repeated.
"""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyogrio
import pyogrio.errors
import yaml

from server.imports.cells import FileFault, read_limited
from server.privacy.conformance import Checked
from sync.refused import refused_concept

MAPPING_BYTES_MAX: Final = 2**20
NAMES_MAX: Final = 10_000
TABLES: Final = frozenset({".csv", ".tsv", ".txt"})
MAPPINGS: Final = frozenset({".json", ".yaml", ".yml"})
VECTORS: Final = frozenset({".geojson", ".gpkg", ".shp", ".fgb"})
_SEPARATORS: Final = ",;\t|"


def checked_file(path: Path) -> Checked:
    """Check the names in one file; a file that cannot be read fails the check."""
    name = f"{path.name} names nothing refused"
    try:
        names = names_in(path)
    except FileFault as fault:
        said = f"{fault.reason}; {fault.proposal}" if fault.proposal else fault.reason
        return Checked(name=name, looked_at="the file", found=(said,))
    # By number: the first line of a file without headings is somebody's data.
    found = tuple(
        f"number {number}: {concept}"
        for number, each in enumerate(names, 1)
        if (concept := refused_concept(each)) is not None
    )
    return Checked(name=name, looked_at=f"{len(names)} names", found=found)


def names_in(path: Path) -> list[str]:
    """Return the names of columns, fields or mapping words of a file, at most `NAMES_MAX`.

    Raises:
        FileFault: if the file cannot be read or is of a kind that has no names we know.
    """
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    kind = suffix.lower()
    if kind in TABLES:
        names = _headings(_text(read_limited(path)))
    elif kind in MAPPINGS:
        names = list(_words(_mapping(read_limited(path), kind)))
    elif kind in VECTORS:
        names = _fields(path)
    else:
        known = ", ".join(sorted(TABLES | MAPPINGS | VECTORS))
        raise FileFault("is of a kind whose names cannot be read", f"known are {known}")
    if len(names) > NAMES_MAX:
        raise FileFault(f"holds more than {NAMES_MAX} names", "check it in parts")
    return names


def _text(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise FileFault("is neither UTF-8 nor GB18030", "save it as UTF-8")


def _headings(text: str) -> list[str]:
    first = text.lstrip("\r\n").splitlines()[:1]
    separator = max(_SEPARATORS, key="".join(first).count)
    try:
        return next(csv.reader(io.StringIO("".join(first)), delimiter=separator), [])
    except csv.Error as error:
        raise FileFault(f"is not a table at line 1 ({error})") from None


def _mapping(content: bytes, kind: str) -> Any:
    if len(content) > MAPPING_BYTES_MAX:
        raise FileFault(f"is larger than {MAPPING_BYTES_MAX // 2**20} MiB for a mapping")
    text = _text(content)
    try:
        return json.loads(text) if kind == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError):
        raise FileFault(f"is not {kind[1:].upper()}") from None


def _words(document: Any) -> Iterator[str]:
    """Every key and every text, each object once, however often it is referred to."""
    waiting, seen = [document], set()
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict | list) and id(each) not in seen:
            seen.add(id(each))
            waiting += [*each, *each.values()] if isinstance(each, dict) else each


def _fields(path: Path) -> list[str]:
    try:
        layers = [str(name) for name, _ in pyogrio.list_layers(path)]
        return layers + [
            str(field)
            for layer in layers
            for field in pyogrio.read_info(path, layer=layer)["fields"]
        ]
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError):
        raise FileFault("cannot be read as a vector file") from None
