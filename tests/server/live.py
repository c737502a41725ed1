"""The application behind a real uvicorn on a free port, for what only sockets can show."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from server.app import create_app
from server.serve import PunctualProtocol, options
from server.settings import Settings


@dataclass(frozen=True, slots=True)
class Live:
    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def connect(self) -> socket.socket:
        connection = socket.create_connection((self.host, self.port), timeout=10)
        connection.settimeout(10)
        return connection


@contextmanager
def live_server(settings: Settings) -> Iterator[Live]:
    protocol = type(
        "TestProtocol",
        (PunctualProtocol,),
        {"header_deadline_s": settings.limits.header_deadline_s},
    )
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(settings)
    wanted = options(settings) | {
        "app": app,
        "factory": False,
        "http": protocol,
        "log_config": None,
        "timeout_graceful_shutdown": 2,
    }
    server = uvicorn.Server(uvicorn.Config(**wanted))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        assert server.started
        yield Live(*listener.getsockname()[:2])
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
