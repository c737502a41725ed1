"""Liveness and readiness, for the process supervisor and the load balancer.

Open to everyone, so they say nothing about the data and cost at most one probe a second.
"""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from sqlalchemy import Connection, text

from server.clock import ticks_s
from server.db.store import Store, StoreBusy
from server.deps import StoreDep, WakeupsDep
from server.migrations import is_current
from server.problems import ServiceUnavailable, problems

router = APIRouter(tags=["health"])
PROBE_TIMEOUT_S = 1.0
PROBE_EVERY_S = 1.0


class Health(BaseModel):
    """How the process is. `redis` may be `away` while the process is ready."""

    status: str
    redis: str | None = None


@router.get("/livez")
async def live() -> Health:
    """Say that the process answers. Restart it when this stops."""
    return Health(status="live")


class Probe:
    """Asks the database whether it answers, at most once a second however often it is asked."""

    def __init__(self) -> None:
        self._asked_s = float("-inf")
        self._answer = False
        self._is_current = False
        self._lock = asyncio.Lock()

    async def ready(self, store: Store) -> bool:
        """Say whether `store` answered in time and its schema is the newest."""
        async with self._lock:
            if ticks_s() - self._asked_s > PROBE_EVERY_S:
                self._answer = await self._probe(store)
                self._asked_s = ticks_s()
            return self._answer

    async def _probe(self, store: Store) -> bool:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                return await store.read(self._ask)
        except (StoreBusy, TimeoutError):
            return False

    def _ask(self, db: Connection) -> bool:
        """Look at the schema until it was right once; after that any answer will do."""
        if not self._is_current:
            self._is_current = is_current(db)
        return self._is_current and db.execute(text("SELECT 1")).scalar_one() == 1


async def the_probe(request: Request) -> Probe:
    """Return the probe of this application."""
    if not hasattr(request.app.state, "probe"):
        request.app.state.probe = Probe()
    found: Probe = request.app.state.probe
    return found


@router.get("/readyz", responses=problems(ServiceUnavailable))
async def ready(
    store: StoreDep, wakeups: WakeupsDep, probe: Annotated[Probe, Depends(the_probe)]
) -> Health:
    """Say that requests can be answered: the database is there."""
    if not await probe.ready(store):
        raise ServiceUnavailable("The database does not answer.")
    return Health(status="ready", redis="connected" if wakeups.connected else "away")
