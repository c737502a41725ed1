"""Uploads spelled out: raw tus requests, so that tests see the headers themselves."""

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any

import httpx

TUS = {"tus-resumable": "1.0.0"}
CHUNK = "application/offset+octet-stream"


def hash_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def coded(content: bytes | str) -> str:
    return base64.b64encode(content.encode() if isinstance(content, str) else content).decode()


def metadata(named: str, media_type: str = "image/jpeg") -> str:
    return f"filename {coded('a.jpg')},hash {coded(named)},filetype {coded(media_type)}"


def checksum(piece: bytes, algorithm: str = "sha1") -> dict[str, str]:
    digest = hashlib.new(algorithm, piece).digest()
    return {"upload-checksum": f"{algorithm} {coded(digest)}"}


def slug(answer: httpx.Response) -> str:
    """The last part of the problem type of an answer."""
    found: str = answer.json()["type"].rsplit("/", 1)[-1]
    return found


@dataclass
class Hand:
    """One holder of a token who uploads."""

    client: httpx.AsyncClient
    token: str
    headers: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.headers = {"authorization": f"Bearer {self.token}", **TUS}

    async def begin(
        self,
        content: bytes,
        media_type: str = "image/jpeg",
        *,
        first: bytes | None = None,
        **headers: str,
    ) -> httpx.Response:
        """Create an upload of `content`, with its first chunk if wanted."""
        told = {
            "upload-length": str(len(content)),
            "upload-metadata": metadata(hash_of(content), media_type),
        }
        if first is not None:
            told["content-type"] = CHUNK
        return await self.client.post(
            "/v1/uploads", content=first, headers=self.headers | told | headers
        )

    async def begun(self, content: bytes, media_type: str = "image/jpeg") -> str:
        """Create an upload and return its address."""
        answer = await self.begin(content, media_type)
        assert answer.status_code == 201, answer.text
        return answer.headers["location"]

    async def patch(
        self, address: str, offset: int, piece: Any, **headers: str
    ) -> httpx.Response:
        told = {"upload-offset": str(offset), "content-type": CHUNK}
        return await self.client.patch(
            address, content=piece, headers=self.headers | told | headers
        )

    async def look(self, address: str) -> httpx.Response:
        return await self.client.head(address, headers=self.headers)

    async def offset(self, address: str) -> int:
        answer = await self.look(address)
        assert answer.status_code == 200
        return int(answer.headers["upload-offset"])

    async def stored(self, content: bytes, media_type: str = "image/jpeg") -> str:
        """Upload everything at once and return the hash."""
        answer = await self.begin(content, media_type, first=content)
        assert answer.status_code == 201, answer.text
        assert answer.headers["upload-offset"] == str(len(content))
        return hash_of(content)

    async def fetch(self, named: str, **headers: str) -> httpx.Response:
        return await self.client.get(f"/v1/media/{named}", headers=self.headers | headers)

    async def listed(self, record: str) -> dict[str, str]:
        """Hash to state of a record's photos."""
        answer = await self.client.get(f"/v1/media?record={record}", headers=self.headers)
        assert answer.status_code == 200, answer.text
        return {each["hash"]: each["state"] for each in answer.json()["items"]}
