"""Snapshots of the model server: a bucket as one packed file, until something leaves it."""

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from sync.exchange import BucketPage, Offer
from sync.snapshot import assemble_snapshot

_FROM = re.compile(r"bytes=(\d+)-")


@dataclass(frozen=True)
class File:
    """One packed bucket at one seq of one epoch."""

    epoch: int
    seq: int
    packed: bytes

    @property
    def etag(self) -> str:
        return f'"{self.epoch}-{self.seq}"'

    def records(self) -> list[Mapping[str, Any]]:
        """What is in it, as anybody reads it."""
        found: list[Mapping[str, Any]] = json.loads(gzip.decompress(self.packed))["records"]
        return found

    def answer(self, headers: Mapping[str, str]) -> httpx.Response:
        """The whole file, or the rest of it from where a range begins."""
        told = {"etag": self.etag}
        wanted = _FROM.fullmatch(headers.get("range", ""))
        if wanted is None or headers.get("if-range") not in {None, self.etag}:
            return _bytes(200, self.packed, told)
        start, size = int(wanted[1]), len(self.packed)
        if start >= size:
            return _bytes(416, b"", told | {"content-range": f"bytes */{size}"})
        span = f"bytes {start}-{size - 1}/{size}"
        return _bytes(206, self.packed[start:], told | {"content-range": span})


def _bytes(status: int, content: bytes, headers: Mapping[str, str]) -> httpx.Response:
    return httpx.Response(status, stream=httpx.ByteStream(content), headers=dict(headers))


class Files:
    """The newest file of each bucket. `least` is how many records make one worth while."""

    def __init__(self, *, least: int | None = None) -> None:
        self.least = least
        self._kept: dict[str, File] = {}

    def is_large(self, count: int) -> bool:
        """Say whether a bucket of so many records is offered as a file."""
        return self.least is not None and count >= self.least

    def offer(self, head: BucketPage) -> Offer:
        """The file that is kept of a bucket, else the one that can be made of it now."""
        kept = self._kept.get(head.id)
        seq = kept.seq if kept is not None and kept.epoch == head.epoch else head.seq
        return Offer(epoch=head.epoch, seq=seq)

    def of(self, head: BucketPage, bodies: list[bytes], wanted: tuple[int, int]) -> File:
        """The kept file if it is the wanted one, else a new one of what is there now."""
        kept = self._kept.get(head.id)
        if kept is None or (kept.epoch, kept.seq) != wanted:
            packed = gzip.compress(assemble_snapshot(head, bodies), mtime=0)
            kept = self._kept[head.id] = File(head.epoch, head.seq, packed)
        return kept

    def drop(self, bucket: str) -> None:
        """Forget the file of a bucket that something left."""
        self._kept.pop(bucket, None)
