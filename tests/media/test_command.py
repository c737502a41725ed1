"""`jingwei media collect` says what it removed, on both stores."""

import asyncio
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from server.cli import app
from server.clock import new_id
from server.db.store import open_store
from server.media.queries import add_upload
from tests.media.pictures import plain_jpeg
from tests.media.uploads import hash_of
from tests.world import build_world

pytestmark = pytest.mark.db
LONG_AGO_MS = 1_600_000_000_000


def collected(database: str, folder: Path) -> str:
    environment = {
        "JINGWEI_ALLOW_UNSAFE": "1",
        "JINGWEI_MEDIA_URL": str(folder / "media"),
        "JINGWEI_MEDIA_PARTIALS": str(folder / "partial"),
    }
    done = CliRunner().invoke(
        app, ["media", "collect", "--database", database], env=environment
    )
    assert done.exit_code == 0, done.output
    return done.output


async def abandoned(database: str) -> str:
    """The id of an upload that was begun long ago."""
    store = open_store(database, allow_unsafe=True)
    try:
        world = await build_world(store)
        upload = new_id()
        row = {
            "id": upload,
            "hash": hash_of(plain_jpeg()),
            "account_id": world.accounts["ann"],
            "device_id": None,
            "size": 100,
            "media_type": "image/jpeg",
            "created_ms": LONG_AGO_MS,
            "finished_ms": None,
        }
        await store.write(lambda db: add_upload(db, row))
        return upload
    finally:
        await store.close()


def test_collecting_by_hand_removes_and_counts(database_url: str, tmp_path: Path) -> None:
    upload = asyncio.run(abandoned(database_url))
    partials = tmp_path / "partial"
    partials.mkdir()
    for name in (upload, "rubbish"):
        (partials / name).write_bytes(b"x")
        os.utime(partials / name, (LONG_AGO_MS / 1000, LONG_AGO_MS / 1000))
    said = collected(database_url, tmp_path)
    assert said == "removed photos 0, uploads 1, files 1\n"
    assert list(partials.iterdir()) == []
    assert collected(database_url, tmp_path) == "removed photos 0, uploads 0, files 0\n"
