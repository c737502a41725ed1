"""The map page and its files, from a closed list."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header, Response

from server.problems import NotFound

router = APIRouter(prefix="/map", include_in_schema=False)
_HERE = Path(__file__).parent
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = "map.html"
_FILES = {
    _PAGE: (_HERE / "static" / _PAGE, "text/html; charset=utf-8"),
    "map.css": (_HERE / "static" / "map.css", "text/css; charset=utf-8"),
    "map.js": (_HERE / "static" / "map.js", "text/javascript; charset=utf-8"),
    "leaflet.css": (_HERE / "vendor" / "leaflet" / "leaflet.css", "text/css; charset=utf-8"),
    "leaflet.js": (
        _HERE / "vendor" / "leaflet" / "leaflet.js",
        "text/javascript; charset=utf-8",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _StaticFile:
    content: bytes
    media_type: str
    tag: str


def _read(path: Path, media_type: str) -> _StaticFile:
    content = path.read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return _StaticFile(content=content, media_type=media_type, tag=tag)


_STATIC = {name: _read(path, media_type) for name, (path, media_type) in _FILES.items()}


def _answer(name: str, if_none_match: str | None) -> Response:
    found = _STATIC.get(name)
    if found is None:
        raise NotFound
    headers = {
        "etag": found.tag,
        "cache-control": "no-cache",
        "content-security-policy": _POLICY,
    }
    if if_none_match == found.tag:
        return Response(status_code=304, headers=headers)
    return Response(found.content, headers=headers, media_type=found.media_type)


@router.get("")
async def map_page(if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """Return the map page. It asks for a token, or takes one from `#token=…`."""
    return _answer(_PAGE, if_none_match)


@router.get("/{name}")
async def map_file(
    name: str, if_none_match: Annotated[str | None, Header()] = None
) -> Response:
    """Return one of the page's files."""
    return _answer(name, if_none_match)
