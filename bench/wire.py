"""The smallest HTTP/1.1 client that keeps a connection: so that the load costs little CPU."""

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status and body of one answer, as sent."""

    status: int
    body: bytes


class Connection:
    """One keep-alive connection to a loopback server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, host: str, port: int) -> "Connection":
        """Connect."""
        return cls(*await asyncio.open_connection(host, port, limit=2**24))

    async def request(self, method: str, path: str, token: str, body: bytes = b"") -> Answer:
        """Send one request and read the whole answer."""
        head = (
            f"{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
            "accept-encoding: identity\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        await self._writer.drain()
        raw = await self._reader.readuntil(b"\r\n\r\n")
        lines = raw.lower().split(b"\r\n")
        length = next(
            int(line.partition(b":")[2])
            for line in lines
            if line.startswith(b"content-length:")
        )
        return Answer(status=int(raw[9:12]), body=await self._reader.readexactly(length))

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        await self._writer.wait_closed()
