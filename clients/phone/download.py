"""Fetching a snapshot over a link that breaks: what has arrived is not asked again."""

import re
import zlib

import httpx

from clients.phone.repair import Anew, Broken
from clients.phone.report import Failure
from clients.phone.store import Store
from clients.phone.transport import Line, parse_json
from sync.errors import ProtocolError
from sync.exchange import Offer
from sync.snapshot import SNAPSHOT_BYTES_MAX, Snapshot, read_snapshot

REDIRECTS_MAX = 3
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_GZIP_WINDOW = 31


class Download:
    """One bucket's snapshot on its way: pieces are stored as they arrive, then used at once."""

    def __init__(self, store: Store, line: Line) -> None:
        self._store = store
        self._line = line

    def run(self, bucket: str, offer: Offer) -> Snapshot:
        """Fetch the rest of a snapshot and return it, checked; nothing but pieces is stored.

        A download that was begun before goes on, even if the server offers a newer file now.

        Raises:
            Anew: if the server has no such file any more, or it is not what it should be.
            Broken: if contact failed; the next call goes on where this one ended.
        """
        begun = self._store.download_path(bucket)
        path = begun or f"/v1/sync/snapshots/{bucket}/{offer.epoch}/{offer.seq}"
        for _ in range(REDIRECTS_MAX):
            moved = self._fetch(bucket, path)
            if moved is None:
                return self._finished(bucket)
            path = moved
        raise Anew

    def _fetch(self, bucket: str, path: str) -> str | None:
        """Store what is missing of the file at `path`; return where else to look, or None."""
        here = self._store.downloaded(bucket)
        headers = {"range": f"bytes={here.size}-", "if-range": here.etag} if here.size else {}
        with self._line.stream(path, headers) as piece:
            if piece.status == httpx.codes.TEMPORARY_REDIRECT:
                self._store.drop_download(bucket)
                return piece.headers.get("location")
            if piece.status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return self._ended(bucket, path, piece.headers.get("content-range", ""))
            if piece.status is None or piece.status >= 500 or piece.status == 429:
                raise Broken(piece.answer(), _failure(piece.status))
            at = self._begin(bucket, piece.status, piece.headers.get("content-range", ""))
            etag = piece.headers.get("etag", "")
            for content in piece.content():
                self._store.keep_piece(bucket, at, path=path, etag=etag, body=content)
                at += len(content)
        if piece.status is None:
            raise Broken(piece.answer(), _failure(None))
        return None

    def _begin(self, bucket: str, status: int, content_range: str) -> int:
        """Return where the coming bytes belong; a whole file replaces what was there."""
        here = self._store.downloaded(bucket)
        found = _RANGE.fullmatch(content_range)
        if status == httpx.codes.PARTIAL_CONTENT and found and int(found[1]) == here.size:
            return here.size
        self._store.drop_download(bucket)
        if status != httpx.codes.OK:
            raise Anew
        return 0

    def _ended(self, bucket: str, path: str, content_range: str) -> str | None:
        """Say what a range behind the end means: all is there, or it is another file."""
        here = self._store.downloaded(bucket)
        if content_range == f"bytes */{here.size}":
            return None
        self._store.drop_download(bucket)
        return path

    def _finished(self, bucket: str) -> Snapshot:
        packed = self._store.downloaded_bytes(bucket)
        try:
            return read_snapshot(parse_json(_unpacked(packed)), bucket)
        except (ValueError, ProtocolError) as fault:
            self._store.drop_download(bucket)
            raise Anew from fault


def _failure(status: int | None) -> Failure:
    slug = "no-reply" if status is None else f"http-{status}"
    return Failure(slug=slug, status=status)


def _unpacked(packed: bytes) -> bytes:
    """Unpack gzip up to the limit.

    Raises:
        ValueError: if it is not one whole gzip file, or would be larger.
    """
    unpacking = zlib.decompressobj(wbits=_GZIP_WINDOW)
    try:
        content = unpacking.decompress(packed, SNAPSHOT_BYTES_MAX)
    except zlib.error as fault:
        raise ValueError("not gzip") from fault
    if not unpacking.eof:
        raise ValueError("not complete, or too large")
    return content
