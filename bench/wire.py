"""The smallest HTTP/1.1 client that keeps a connection: so that the load costs little CPU."""

import asyncio
from dataclasses import dataclass, replace

_PLAIN = "accept-encoding: identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer, as sent; the lines of `head` are in lower case."""

    status: int
    head: tuple[bytes, ...]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """The value of a header, or None."""
        for line in self.head:
            if line.startswith(name + b":"):
                return line.partition(b":")[2].strip()
        return None


class Connection:
    """One keep-alive connection to a loopback server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, host: str, port: int) -> "Connection":
        """Connect."""
        return cls(*await asyncio.open_connection(host, port, limit=2**24))

    async def request(
        self, method: str, path: str, token: str, body: bytes = b"", *, packed: bool = False
    ) -> Answer:
        """Send one request and read the whole answer; `packed` bodies are gzip, both ways."""
        await self.send(method, path, token, body, packed=packed)
        raw = await self._reader.readuntil(b"\r\n\r\n")
        answer = Answer(status=int(raw[9:12]), head=tuple(raw.lower().split(b"\r\n")), body=b"")
        length = int(answer.header(b"content-length") or 0)
        return replace(answer, body=await self._reader.readexactly(length))

    async def send(
        self, method: str, path: str, token: str, body: bytes = b"", *, packed: bool = False
    ) -> None:
        """Send one request without waiting for its answer."""
        coding = "content-encoding: gzip\r\naccept-encoding: gzip" if packed else _PLAIN
        head = (
            f"{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
            f"{coding}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        await self._writer.drain()

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        await self._writer.wait_closed()
