"""The store: commits, retries, snapshots, cancellation, load."""
import pytest
from sqlalchemy import select, func
from server.db.store import Store
from server.db.tables import Incarnation
from server.migrations import is_current

pytestmark = pytest.mark.anyio

async def test_migrated(store: Store) -> None:
    assert await store.read(is_current)

async def test_redis(redis_url: str) -> None:
    import redis.asyncio as r
    c = r.from_url(redis_url)
    assert await c.ping()
    await c.aclose()
