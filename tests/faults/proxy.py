"""A TCP proxy that breaks connections on plan: after exactly k bytes of either direction.

Each connection takes the next fate of the plan; when the plan is empty the network is good. It
runs on an event loop in a thread of its own.
"""

import asyncio
import socket
import struct
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

PIECE_BYTES = 65_536
RESET = struct.pack("ii", 1, 0)


class Way(StrEnum):
    """What happens to a connection.

    CLOSE and RESET end both sides. HALF_CLOSE tells the server the end of the request and
    still carries the reply. DELAY waits `seconds` before each piece. DUPLICATE sends the
    request a second time on another connection at once, and nobody reads that reply.
    """

    CLOSE = "close"
    RESET = "reset"
    HALF_CLOSE = "half-close"
    DELAY = "delay"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, kw_only=True)
class Fate:
    """`way` happens after `after` bytes of the request, or of the reply."""

    way: Way
    after: int = 0
    of_reply: bool = False
    seconds: float = 0.0


class Broken(Exception):  # noqa: N818 - the plan was carried out
    """The connection is to be broken now."""


class Proxy:
    """Stands before a TCP port or a Unix socket.

    `carried` counts the bytes of the request and of the reply of the connection that ended
    last, `broken` the connections that met their fate.
    """

    def __init__(self, target: int | Path) -> None:
        self.coming: deque[Fate] = deque()
        self.always: Fate | None = None
        self.carried = (0, 0)
        self.broken = 0
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = int(self._listener.getsockname()[1])
        self._running: set[asyncio.Task[None]] = set()  # a loop holds its tasks only weakly
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=(self._run(),)
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening and break what is open."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    async def _run(self) -> None:
        server = await asyncio.start_server(self._begin, sock=self._listener)
        await self._stop.wait()
        server.close()
        while self._running:
            for task in self._running:
                task.cancel()
            await asyncio.wait(self._running)

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(str(self._target))
        return await asyncio.open_connection("127.0.0.1", self._target)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fate = self.coming.popleft() if self.coming else self.always
        writers = [writer]
        try:
            there = await self._open()
            writers.append(there[1])
            extra = await self._open() if fate and fate.way is Way.DUPLICATE else None
            copies = [there[1]]
            if extra is not None:
                self.broken += 1
                copies.append(extra[1])
                writers.append(extra[1])
            await self._carry(fate, reader, copies, there[0], writer)
        except (Broken, OSError, asyncio.CancelledError):
            for each in writers:
                _end(each, reset=fate is not None and fate.way is Way.RESET)
        finally:
            for each in writers:
                each.close()

    async def _carry(
        self,
        fate: Fate | None,
        reader: asyncio.StreamReader,
        copies: list[asyncio.StreamWriter],
        there: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        up = asyncio.create_task(self._pump(reader, copies, fate, of_reply=False))
        down = asyncio.create_task(self._pump(there, [writer], fate, of_reply=True))
        try:
            done, _ = await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            if down not in done and up.exception() is None:
                await down
            for each in done:
                each.result()
        finally:
            counts = [_count_of(each) for each in (up, down)]
            self.carried = (counts[0], counts[1])
            up.cancel()
            down.cancel()
            await asyncio.gather(up, down, return_exceptions=True)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writers: list[asyncio.StreamWriter],
        fate: Fate | None,
        *,
        of_reply: bool,
    ) -> int:
        """Carry bytes one way until they end, or until the fate of the connection."""
        mine = fate if fate is not None and fate.of_reply is of_reply else None
        limit = (
            mine.after if mine and mine.way in {Way.CLOSE, Way.RESET, Way.HALF_CLOSE} else None
        )
        carried = 0
        while piece := await reader.read(PIECE_BYTES):
            if mine is not None and mine.way is Way.DELAY:
                self.broken += carried == 0
                await asyncio.sleep(mine.seconds)
            allowed = piece if limit is None else piece[: limit - carried]
            for each in writers:
                each.write(allowed)
            carried += len(allowed)
            if limit is not None and carried >= limit:
                await self._break(mine, writers)
            for each in writers:
                await each.drain()
        for each in writers:
            with suppress(OSError, RuntimeError):
                each.write_eof()
        return carried

    async def _break(self, fate: Fate | None, writers: list[asyncio.StreamWriter]) -> None:
        self.broken += 1
        for each in writers:
            await each.drain()
        if fate is None or fate.way is not Way.HALF_CLOSE:
            raise Broken
        for each in writers:
            each.write_eof()
        await self._stop.wait()


def _count_of(task: "asyncio.Task[int]") -> int:
    if task.done() and not task.cancelled() and task.exception() is None:
        return task.result()
    return 0


def _end(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    if reset:
        connection = writer.get_extra_info("socket")
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
