"""Shapefiles: the files that belong to one, out of a zip, and how their text is encoded.

A zip is unpacked here, under names of our own and never beyond a size: a name that leads
elsewhere, a member that is larger than it says and a shapefile without its companions stop
before GDAL sees anything. Text is decoded here too, strictly: GDAL takes what it does not know
for Latin-1 without a word.
"""

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Final

from server.imports.cells import FileFault
from server.unpacking import ENCRYPTED

MEMBERS_MAX: Final = 100
NEEDED: Final = (".shp", ".shx", ".dbf")
USED: Final = (*NEEDED, ".prj", ".cpg")
ENCODINGS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("utf-8", "utf8", "65001"), "utf-8"),
    **dict.fromkeys(("gb18030", "gbk", "gb2312", "936", "cp936", "54936"), "gb18030"),
    **dict.fromkeys(("big5", "950", "cp950"), "cp950"),
    **dict.fromkeys(("1252", "cp1252", "ansi 1252", "windows-1252"), "cp1252"),
    **dict.fromkeys(("iso-8859-1", "iso88591", "88591"), "iso-8859-1"),
}
_BY_LANGUAGE: Final[Mapping[int, str]] = {0x4D: "gb18030", 0x4F: "cp950"}
"""Marks in the .dbf that mean one encoding; others mean "whatever the machine used"."""
_LANGUAGE_AT: Final = 29
_CPG_BYTES_MAX: Final = 64
_PIECE: Final = 1 << 20
_PACKED: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapefile:
    """A shapefile on disk; `encoding` is what it names, None if it names none."""

    path: Path
    encoding: str | None


def encoding_named(name: str) -> str:
    """Return the encoding that an operator or a .cpg file names.

    Raises:
        FileFault: if it is none of those that are read.
    """
    found = ENCODINGS.get(name.strip().lower())
    if found is None:
        advice = "say it with --encoding: UTF-8, GB18030 or Big5"
        raise FileFault("names an encoding that is not known", advice)
    return found


@contextmanager
def opened_shapefile(path: Path, *, bytes_max: int) -> Iterator[Shapefile]:
    """Have a `.shp` or a zip with exactly one as files with all that belongs to it.

    Raises:
        FileFault: if something is missing or too large, or the zip cannot be trusted.
    """
    if path.suffix.lower() != ".zip":
        yield _with_companions({each.suffix.lower(): each for each in _beside(path)}, path)
        return
    with TemporaryDirectory(prefix="jingwei-shapefile-") as folder:
        found = _unpacked(path, Path(folder), bytes_max)
        yield _with_companions(found, found[".shp"])


def _beside(path: Path) -> Iterator[Path]:
    yield path
    for each in path.parent.glob(f"{_escaped(path.stem)}.*"):
        if each.suffix.lower() in USED and each != path:
            yield each


def _escaped(stem: str) -> str:
    return "".join(f"[{each}]" if each in "*?[" else each for each in stem)


def _with_companions(files: Mapping[str, Path], path: Path) -> Shapefile:
    missing = [each for each in NEEDED if each not in files]
    if missing:
        advice = "a shapefile is .shp, .shx and .dbf of one name; add what is missing"
        raise FileFault(f"lacks {' and '.join(missing)}", advice)
    return Shapefile(path=path, encoding=_encoding(files))


def _encoding(files: Mapping[str, Path]) -> str | None:
    if ".cpg" in files:
        with files[".cpg"].open("rb") as opened:
            return encoding_named(opened.read(_CPG_BYTES_MAX).decode("ascii", "replace"))
    with files[".dbf"].open("rb") as opened:
        start = opened.read(_LANGUAGE_AT + 1)
    return _BY_LANGUAGE.get(start[_LANGUAGE_AT]) if len(start) > _LANGUAGE_AT else None


def _unpacked(path: Path, folder: Path, bytes_max: int) -> dict[str, Path]:
    """Unpack the only shapefile of a zip as `grids.*` and return its files by suffix."""
    try:
        with zipfile.ZipFile(path) as packed:
            chosen = _chosen(packed.infolist())
            left = bytes_max
            for suffix, member in chosen.items():
                target = folder / f"grids{suffix}"
                left -= _unpack(packed, member, target, left)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError):
        raise FileFault("is not a readable zip file") from None
    return {suffix: folder / f"grids{suffix}" for suffix in chosen}


def _chosen(members: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """The members of the only shapefile, by suffix."""
    if len(members) > MEMBERS_MAX:
        raise FileFault(f"holds more than {MEMBERS_MAX} files", "pack one shapefile only")
    if any(_leads_elsewhere(each.filename) for each in members):
        raise FileFault("holds a name that leads elsewhere", "pack the files without folders")
    if any(each.flag_bits & ENCRYPTED for each in members):
        raise FileFault("is encrypted", "pack it without a password")
    if any(each.compress_type not in _PACKED for each in members):
        raise FileFault("is packed in a way that is not read", "pack it with Deflate")
    files = [(PurePosixPath(each.filename.lower()), each) for each in members]
    files = [each for each in files if "__macosx" not in each[0].parts]
    shapes = [path for path, _ in files if path.suffix == ".shp"]
    if len(shapes) != 1:
        reason = f"holds {len(shapes)} shapefiles where exactly one belongs"
        raise FileFault(reason, "pack one .shp with its .shx, .dbf, .prj and .cpg")
    belonging = [
        (path.suffix, each)
        for path, each in files
        if path.suffix in USED and path.with_suffix("") == shapes[0].with_suffix("")
    ]
    found = dict(belonging)
    if len(found) < len(belonging):
        raise FileFault("holds two files of one name")
    return found


def _leads_elsewhere(name: str) -> bool:
    path = PurePosixPath(name)
    return (
        path.is_absolute()
        or ".." in path.parts
        or any(each in name for each in "\\:")
        or any(each < " " for each in name)
    )


def _unpack(
    packed: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, bytes_max: int
) -> int:
    """Unpack one member and return its size; what the zip says about it is not trusted."""
    size = 0
    with packed.open(member) as opened, target.open("wb") as written:
        while piece := opened.read(_PIECE):
            size += len(piece)
            if size > bytes_max:
                raise FileFault("is too large when unpacked", "import it in parts")
            written.write(piece)
    return size


class Texts:
    """Decodes the text of a shapefile, strictly, in the encoding that is named or that fits.

    `named` is what the file names, `given` what the operator says, which goes before.
    """

    def __init__(self, *, named: str | None, given: str | None) -> None:
        self._encoding = encoding_named(given) if given is not None else named
        self._said = self._encoding is not None

    def decoded(self, texts: list[bytes]) -> list[str]:
        """Return texts as they were written.

        Raises:
            FileFault: if they are not in the encoding that is named; without one, if they are
                not UTF-8. The proposal names an encoding in which they can be read.
        """
        try:
            return [each.decode(self._encoding or "utf-8") for each in texts]
        except UnicodeDecodeError:
            pass
        if self._said:
            reason = "has text that is not in the encoding that is named"
        else:
            reason = "does not say how its text is encoded"
        raise FileFault(reason, _encoding_proposal(texts))


def _encoding_proposal(texts: list[bytes]) -> str:
    for encoding, name in (("utf-8", "UTF-8"), ("gb18030", "GB18030"), ("cp950", "Big5")):
        try:
            b" ".join(texts).decode(encoding)
        except UnicodeDecodeError:
            continue
        return f"it can be read as {name}: --encoding {name}"
    return "say it with --encoding"
