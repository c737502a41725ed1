"""`jingwei doctor --rebuild` on the command line: what it prints and how it ends."""

import asyncio

from sqlalchemy import delete, update
from sqlmodel import col

from server.db.store import open_store
from server.db.tables import MutationRow, RecordRow
from tests.server.test_cli import run
from tests.world import build_world


def test_the_doctor_says_what_it_would_rebuild_and_rebuilds_it_once(sqlite_url: str) -> None:
    async def damage() -> str:
        store = open_store(sqlite_url)
        world = await build_world(store)
        await store.write(
            lambda db: (
                db.execute(
                    update(RecordRow)
                    .where(col(RecordRow.id) == world.households["G1"])
                    .values(hash="0" * 32)
                ).rowcount
            )
        )
        await store.close()
        return world.households["G1"]

    home = asyncio.run(damage())
    for _ in range(2):
        tried = run("doctor", "--rebuild", database=sqlite_url, code=1)
        assert "BAD  rebuild: would rebuild 1 household hash\n" in tried.stdout
        assert tried.stderr == f"household {home}: hash\n"
    done = run("doctor", "--rebuild", "--apply", "--reproject", "--refold", database=sqlite_url)
    assert "ok   rebuild: rebuilt 1 household hash\n" in done.stdout
    assert "wrote 1 records, 0 typed rows, dropped 0 exits, new epoch 2" in done.stderr
    again = run("doctor", "--rebuild", "--apply", database=sqlite_url)
    assert "ok   rebuild: nothing to rebuild\n" in again.stdout
    assert again.stderr == ""


def test_the_doctor_names_what_it_could_not_rebuild(sqlite_url: str) -> None:
    async def damage() -> str:
        store = open_store(sqlite_url)
        world = await build_world(store)
        home = world.households["G1"]
        unreadable = update(RecordRow).where(col(RecordRow.id) == home).values(truth="{")
        await store.write(lambda db: db.execute(unreadable).rowcount)
        await store.write(lambda db: db.execute(delete(MutationRow)).rowcount)
        await store.close()
        return home

    home = asyncio.run(damage())
    shown = run("doctor", "--rebuild", "--apply", database=sqlite_url, code=1).stdout
    (line,) = [each for each in shown.splitlines() if "rebuild" in each]
    assert line.startswith("BAD  rebuild: rebuilt ")
    assert f"left 2 differences: household {home}: truth; device " in line


def test_applying_nothing_is_a_usage_error(sqlite_url: str) -> None:
    assert "--rebuild" in run("doctor", "--apply", database=sqlite_url, code=2).output
