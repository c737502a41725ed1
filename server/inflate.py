"""Unpacking gzip bodies piece by piece, so that a small body can never become a large one."""

from typing import cast

from isal import isal_zlib

from server.problems import BodyTooLarge, MalformedBody

MEMBERS_MAX = 16
RATIO_FREE_BYTES = 1024 * 1024
_PIECE = 64 * 1024
_NOT_GZIP = cast("type[Exception]", isal_zlib.error)  # its stub calls it an instance
_GZIP = 31  # zlib's number for "gzip header and trailer"


class Inflater:
    """Unpacks one gzip body of at most `limit_bytes`, at most `ratio` times its packed size.

    The ratio is judged above the first MiB only: a day of like reports may well shrink a lot.
    """

    def __init__(self, *, limit_bytes: int, ratio: int) -> None:
        self._limit_bytes = limit_bytes
        self._ratio = ratio
        self._packed = 0
        self._unpacked = 0
        self._members = 1
        self._member = isal_zlib.decompressobj(wbits=_GZIP)

    def feed(self, packed: bytes) -> list[bytes]:
        """Return what the next packed bytes unpack to, in pieces.

        Raises:
            BodyTooLarge: if the body unpacks to too much.
            MalformedBody: if it is not gzip.
        """
        self._packed += len(packed)
        pieces: list[bytes] = []
        while packed:
            if self._member.eof:
                self._next_member()
            piece = self._unpack(packed)
            pieces.append(piece)
            self._count(len(piece))
            packed = self._member.unused_data or self._member.unconsumed_tail
        return pieces

    def finish(self) -> None:
        """Refuse a body that ended in the middle of its gzip data; none at all is no body."""
        if self._packed and not self._member.eof:
            raise MalformedBody("The gzip data ends too early.")

    def _unpack(self, packed: bytes) -> bytes:
        try:
            return bytes(self._member.decompress(packed, _PIECE))
        except _NOT_GZIP:
            pass
        raise MalformedBody("The body is not gzip data.")

    def _next_member(self) -> None:
        self._members += 1
        if self._members > MEMBERS_MAX:
            raise MalformedBody(f"The gzip data has more than {MEMBERS_MAX} members.")
        self._member = isal_zlib.decompressobj(wbits=_GZIP)

    def _count(self, unpacked: int) -> None:
        self._unpacked += unpacked
        if self._unpacked > self._limit_bytes:
            raise BodyTooLarge(limit_bytes=self._limit_bytes)
        if self._unpacked <= RATIO_FREE_BYTES:
            return
        if self._unpacked > self._ratio * self._packed:
            raise BodyTooLarge(
                f"The body unpacks to more than {self._ratio} times its size.",
                limit_bytes=self._limit_bytes,
            )
