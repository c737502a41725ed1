"""Sending photos: resumable (tus 1.0), in chunks, after the records and never instead of them.

A photo is dropped from the phone when the server has all of it, or said that it cannot be kept.
"""

import base64
import json
from dataclasses import dataclass, field

import httpx

from clients.phone.photos import Photo
from clients.phone.store import Store

CHUNK_BYTES = 512 * 1024
CHUNK_BYTES_MIN = 32 * 1024
TRIES_MAX = 8
WANTED = "media_wanted"
_TUS = {"Tus-Resumable": "1.0.0"}
_CHUNK_TYPE = "application/offset+octet-stream"
_REFUSED = 415  # it will not be taken tomorrow either
_TOO_LARGE = 413
_GONE = frozenset({404, 410, 422})  # the upload is gone: begin a new one
_AT_ONCE = frozenset({0, 409, 413, 460})  # ask where it is, go on with smaller chunks


@dataclass(slots=True, kw_only=True)
class UploadReport:
    """What one call of `Phone.upload_photos` did: hashes, bytes of photos, and why it ended.

    `failure` is None when every wanted photo is done, else the status of the last answer, 0 if
    none came.
    """

    sent: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    bytes_up: int = 0
    failure: int | None = None


class UploadFailed(Exception):  # noqa: N818 - named as the condition it reports
    """The network or the server did not do it now; `status` is 0 without an answer."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the upload did not go on: {status}")
        self.status = status


class Uploads:
    """The uploads of one phone; one is on its way at a time."""

    def __init__(self, store: Store, http: httpx.Client) -> None:
        self._store = store
        self._http = http
        self._most_bytes = self._chunk_bytes = CHUNK_BYTES

    def run(self, *, chunk_bytes: int = CHUNK_BYTES) -> UploadReport:
        """Send the wanted photos, one after the other, until one does not go on.

        Chunks have at most `chunk_bytes`, fewer after a failure.
        """
        self._most_bytes = self._chunk_bytes = chunk_bytes
        report = UploadReport()
        asked: list[str] = json.loads(self._store.setting(WANTED) or "[]")
        for named in asked:
            if self._store.photos.find(named) is None:
                continue
            try:
                taken = self._send(named, report)
            except UploadFailed as failed:
                report.failure = failed.status
                return report
            (report.sent if taken else report.refused).append(named)
            self._store.photos.drop(named)
        return report

    def _send(self, named: str, report: UploadReport) -> bool:
        """Send one photo; True when the server has it, False when it does not take it."""
        last = UploadFailed(0)
        for _ in range(TRIES_MAX):
            photo = self._store.photos.find(named)
            if photo is None:
                return False
            try:
                return self._try(photo, report)
            except UploadFailed as failed:
                last = failed
            if last.status == _REFUSED:
                return False
            if last.status in _GONE:
                self._store.photos.goes_on_at(named, None)
            elif last.status not in _AT_ONCE:
                break
            self._chunk_bytes = max(
                self._chunk_bytes // 2, min(CHUNK_BYTES_MIN, self._most_bytes)
            )
        raise last

    def _try(self, photo: Photo, report: UploadReport) -> bool:
        if photo.address is None:
            address, offset = self._begin(photo)
        else:
            address, offset = photo.address, self._offset(self._ask("HEAD", photo.address, {}))
        while offset < photo.size:
            piece = self._store.photos.part(photo.hash, offset, self._chunk_bytes)
            report.bytes_up += len(piece)
            headers = {"Upload-Offset": str(offset), "Content-Type": _CHUNK_TYPE}
            offset = self._offset(self._ask("PATCH", address, headers, piece))
            self._chunk_bytes = min(self._chunk_bytes * 2, self._most_bytes)
        return True

    def _begin(self, photo: Photo) -> tuple[str, int]:
        metadata = f"hash {_coded(photo.hash)},filetype {_coded(photo.media_type)}"
        headers = {"Upload-Length": str(photo.size), "Upload-Metadata": metadata}
        try:
            answer = self._ask("POST", "/v1/uploads", headers)
        except UploadFailed as failed:
            raise UploadFailed(
                _REFUSED if failed.status == _TOO_LARGE else failed.status
            ) from None
        address = answer.headers.get("location", "")
        self._store.photos.goes_on_at(photo.hash, address)
        return address, self._offset(answer)

    def _ask(
        self, method: str, address: str, headers: dict[str, str], piece: bytes = b""
    ) -> httpx.Response:
        """Send one request of an upload.

        Raises:
            UploadFailed: unless it was done.
        """
        token = {"Authorization": f"Bearer {self._store.setting('token') or ''}"}
        url = f"{self._store.setting('base_url') or ''}{address}"
        try:
            answer = self._http.request(
                method, url, headers=_TUS | token | headers, content=piece
            )
        except (httpx.TransportError, httpx.DecodingError):
            raise UploadFailed(0) from None
        if not answer.is_success:
            raise UploadFailed(answer.status_code)
        return answer

    def _offset(self, answer: httpx.Response) -> int:
        text = answer.headers.get("upload-offset", "")
        if not text.isdecimal():
            raise UploadFailed(0)
        return int(text)


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
