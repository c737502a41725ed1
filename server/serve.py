"""Running the application under uvicorn, with a deadline for connections that say nothing."""

import asyncio
import gc
import logging
from typing import Any

from fastapi import FastAPI
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from server.app import create_app
from server.db import failpoints
from server.settings import Settings

DRAIN_S = 20
KEEP_ALIVE_S = 20
WORKER_START_S = 60
HEADER_BYTES_MAX = 64 * 1024
GC_THRESHOLDS = (50_000, 20, 100)


class PunctualProtocol(HttpToolsProtocol):
    """Closes a connection whose next request headers are late or endless.

    uvicorn itself waits for ever for the first byte and for the end of the headers. A body's
    deadline is the gate's; what still arrives after an early answer is dropped, then cut here.
    """

    header_deadline_s: float = 10.0
    _deadline: asyncio.TimerHandle | None = None
    _header_bytes = 0

    @override
    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect_headers()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_done()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        if self._deadline is None and getattr(self.cycle, "response_complete", True):
            self._expect_headers()
        super().data_received(data)

    @override
    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    @override
    def on_headers_complete(self) -> None:
        self._headers_done()
        super().on_headers_complete()

    def _expect_headers(self) -> None:
        self._deadline = self.loop.call_later(self.header_deadline_s, self.transport.close)

    def _headers_done(self) -> None:
        self._header_bytes = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _count(self, received: int) -> None:
        self._header_bytes += received
        if self._header_bytes > HEADER_BYTES_MAX:
            self.transport.close()


def tune_gc() -> None:
    """Take what start-up made out of the collector's sight and let it run more rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def make_app() -> FastAPI:
    """Return the application for a worker process; the settings come from the environment."""
    settings = Settings()
    failpoints.arm(settings.failpoints, allowed=settings.allow_unsafe)
    PunctualProtocol.header_deadline_s = settings.limits.header_deadline_s
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    app = create_app(settings)
    tune_gc()
    return app


def options(settings: Settings) -> dict[str, Any]:
    """Return how uvicorn runs the application: the arguments of `uvicorn.run`."""
    return {
        "app": "server.serve:make_app",
        "factory": True,
        "host": settings.host,
        "port": settings.port,
        "workers": settings.workers,
        "http": PunctualProtocol,
        "ws": "none",
        "access_log": False,
        "server_header": False,
        "timeout_keep_alive": KEEP_ALIVE_S,
        "timeout_worker_healthcheck": WORKER_START_S,
        "timeout_graceful_shutdown": DRAIN_S,
        "log_level": "info",
    }
