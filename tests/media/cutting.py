"""A TCP proxy on loopback that cuts connections, on plan, at exact byte counts."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

PIECE = 16 * 1024
_RESET = struct.pack("ii", 1, 0)


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
    bytes_up: int = 0
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
        down = threading.Thread(target=_pass_on, args=(server, caller), daemon=True)
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
        while piece := caller.recv(PIECE):
            with self._lock:
                self.bytes_up += len(piece)
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


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Pass on until the end; when `source` dies instead, `target` must not wait for it."""
    how = socket.SHUT_RDWR
    with contextlib.suppress(OSError):
        while piece := source.recv(PIECE):
            target.sendall(piece)
        how = socket.SHUT_WR
    with contextlib.suppress(OSError):
        target.shutdown(how)
