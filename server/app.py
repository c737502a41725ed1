"""The only place where the parts become one application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from server.accesslog.sealing import keep_sealing
from server.api import OPEN, ROUTERS
from server.db.store import Store, StoreBusy, open_store
from server.gate import Gate
from server.identifiers.access import keys_of
from server.identity.access import identify
from server.media.collecting import keep_collecting
from server.media.store import MediaStore
from server.migrations import is_current
from server.notify import Wakeups, open_wakeups
from server.openapi import describe
from server.problem_answers import install
from server.problems import DEFAULT_RESPONSES
from server.quotas import Quotas, open_quotas
from server.sealed.sealing import open_sealing
from server.settings import Settings

VERSION = "0.1.0"
MINUTE_S = 60
DESCRIPTION = """Community grid management: grid polygons, a household registry, offline sync.

Send `Authorization: Bearer <token>`; every answer that is not a success is an RFC 9457 problem
whose `type` is explained at `/problems`. Times ending in `_ms` are milliseconds since 1970 UTC.
"""


@asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[None]:
    """Open what `create_app` was not given, and close only that.

    An unsafe database stops the start, and so do missing keys of what it has sealed; a database
    that is away does not, it only is not ready yet.
    """
    settings: Settings = app.state.settings
    wakeups: Wakeups = app.state.wakeups
    counting: tuple[Quotas, ...] = (app.state.quotas, app.state.reveal_quotas)
    opened = app.state.store is None
    if opened:
        _adopt(app, open_store(settings.database_url, allow_unsafe=settings.allow_unsafe))
    with suppress(StoreBusy):
        current = await app.state.store.read(is_current)
        if current and app.state.sealing is not None:
            await keys_of(app.state.store, app.state.sealing)
    await wakeups.start()
    for quotas in counting:
        await quotas.start()
    collecting = asyncio.create_task(keep_collecting(app.state.store, app.state.media))
    anchor = Path(settings.access_anchor) if settings.access_anchor else None
    sealing = asyncio.create_task(keep_sealing(app.state.store, anchor))
    try:
        yield
    finally:
        collecting.cancel()
        sealing.cancel()
        await asyncio.wait([collecting])  # its last statement still needs the store
        for quotas in counting:
            await quotas.close()
        await wakeups.close()
        if opened:
            await app.state.store.close()


def _operation_id(route: APIRoute) -> str:
    return route.name


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """Return every route, for all applications of this process: making them is what is slow.

    They know nothing of an application.
    """
    whole = APIRouter(responses=DEFAULT_RESPONSES, generate_unique_id_function=_operation_id)
    for router in OPEN:
        whole.include_router(router)
    for router in ROUTERS:
        whole.include_router(router, dependencies=[Depends(identify)])
    return tuple(whole.routes)


def create_app(settings: Settings | None = None, *, store: Store | None = None) -> FastAPI:
    """Return the application.

    Args:
        settings: read from the environment if not given.
        store: an open store to use; the caller closes it. Without one the application opens
            `settings.database_url` when it starts and closes it when it stops.
    """
    settings = settings or Settings()
    app = FastAPI(
        title="jingwei",
        version=VERSION,
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=_running,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.settings = settings
    app.state.store = None
    app.state.media = MediaStore(settings)
    app.state.reading = asyncio.Semaphore(settings.limits.bulk_requests)
    app.state.sealing = open_sealing(settings)
    app.state.wakeups = open_wakeups(settings.redis_url, deployment=settings.deployment)
    if store is not None:
        _adopt(app, store)
    install(app, (*OPEN, *ROUTERS))
    app.state.quotas = open_quotas(
        requests=settings.limits.caller_requests,
        window_s=settings.limits.caller_window_s,
        redis_url=settings.redis_url,
        deployment=settings.deployment,
    )
    app.state.reveal_quotas = open_quotas(
        requests=settings.limits.reveals_a_minute,
        window_s=MINUTE_S,
        redis_url=settings.redis_url,
        deployment=f"{settings.deployment}:reveal",
    )
    app.add_middleware(
        Gate, limits=settings.limits, quotas=app.state.quotas, hsts=settings.hsts
    )
    app.router.routes.extend(_routes())
    describe(app)
    return app


def _adopt(app: FastAPI, store: Store) -> None:
    """Use `store`, and let its commits wake those who wait."""
    app.state.store = store
    store.on_commit(app.state.wakeups.tell)
