"""`jingwei media …`: upkeep of the media store."""

import asyncio

import typer

from server.clock import now_ms
from server.db.store import open_store
from server.media.collecting import Collected, collect
from server.media.store import MediaStore
from server.settings import Settings


def collect_command(database: str) -> None:
    """Remove what is no longer wanted and say how much that was."""
    done = asyncio.run(_collect(database, Settings()))
    typer.echo(f"removed photos {done.blobs}, uploads {done.uploads}, files {done.files}")


async def _collect(database: str, settings: Settings) -> Collected:
    store = open_store(database, allow_unsafe=settings.allow_unsafe)
    try:
        return await collect(store, MediaStore(settings), now_ms=now_ms())
    finally:
        await store.close()
