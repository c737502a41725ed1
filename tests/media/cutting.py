"""A TCP proxy on loopback that cuts connections, on plan, and notes what was sent twice."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import httptools

PIECE = 16 * 1024
_RESET = struct.pack("ii", 1, 0)


class Chunks:
    """The chunks that clients began to send, in order: offset and bytes sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, int]] = []
        self._lock = threading.Lock()

    def reader(self) -> "httptools.HttpRequestParser":
        """Return what reads the requests of one more connection."""
        return httptools.HttpRequestParser(_OneConnection(self))

    def note(self, index: int | None, offset: int, size: int) -> int:
        """Note the bytes of a chunk, a new one if `index` is None; return its index."""
        with self._lock:
            if index is None:
                self.sent.append((offset, size))
                return len(self.sent) - 1
            self.sent[index] = (offset, size)
            return index

    def sent_again(self) -> list[int]:
        """How many bytes were sent again, each time that a chunk began before the last end."""
        ends = [offset + size for offset, size in self.sent]
        starts = [offset for offset, _ in self.sent[1:]]
        return [end - start for end, start in zip(ends, starts, strict=False) if end > start]


class _OneConnection:
    """What the parser of requests tells: only chunks matter."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._index: int | None = None
        self._offset, self._size = 0, 0

    def on_message_begin(self) -> None:
        self._index, self._offset, self._size = None, 0, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"upload-offset":
            self._offset = int(value)

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        self._index = self._chunks.note(self._index, self._offset, self._size)


@dataclass
class CuttingProxy:
    """Passes bytes to `target`; the n-th connection is cut after `plan[n]` bytes upwards.

    A plan of None bytes lets a connection live. After `cuts_max` cuts the network is good.
    Every second cut is a reset, the others a plain close; both hide the answer of the server.
    """

    target: int
    plan: Iterator[int | None]
    cuts_max: int = 0
    cuts: int = 0
    connections: int = 0
    refused: int = 0
    chunks: Chunks = field(default_factory=Chunks)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                with self._lock:
                    self.connections += 1
                    room = next(self.plan, None) if self.cuts < self.cuts_max else None
                threading.Thread(target=self._serve, args=(caller, room), daemon=True).start()

    def _serve(self, caller: socket.socket, room: int | None) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.target), timeout=10)
        except OSError:
            caller.close()
            return
        down = threading.Thread(target=self._downwards, args=(server, caller), daemon=True)
        down.start()
        with contextlib.suppress(OSError):
            self._upwards(caller, server, room)
        for each in (caller, server):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        down.join(10)
        caller.close()
        server.close()

    def _upwards(self, caller: socket.socket, server: socket.socket, room: int | None) -> None:
        reader = self.chunks.reader()
        while piece := caller.recv(PIECE):
            reader.feed_data(piece)
            if room is not None and len(piece) >= room:
                server.sendall(piece[:room])
                with self._lock:
                    self.cuts += 1
                    if self.cuts % 2:
                        for each in (caller, server):
                            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                return
            server.sendall(piece)
            room = None if room is None else room - len(piece)

    def _downwards(self, source: socket.socket, target: socket.socket) -> None:
        """Pass on until the end; when `source` dies instead, `target` must not wait for it."""
        how = socket.SHUT_RDWR
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE):
                with self._lock:  # a chunk that came while the last one was being settled
                    self.refused += piece.startswith((b"HTTP/1.1 409", b"HTTP/1.1 423"))
                target.sendall(piece)
            how = socket.SHUT_WR
        with contextlib.suppress(OSError):
            target.shutdown(how)
