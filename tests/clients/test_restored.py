"""A store is lost and put back from a real backup in the middle of a run: nothing is missing.

Each test plays the same days twice: once without a restore, once with one. What phones handed
in must be the same in both stores, with the outcomes their workers were told.
"""

import asyncio
import json
import random
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from clients.phone import Phone, SteppedClock
from server.clock import continue_from, now_ms
from server.db.store import open_store
from server.replication.refold import refold
from server.restoring import begin_again
from server.settings import Settings
from tests.backups import backed_up, dropped
from tests.server.live import live_server
from tests.world import World, build_world

pytestmark = pytest.mark.db
MINUTE_MS = 60_000


def in_store(url: str, work: Any) -> Any:
    async def run() -> Any:
        store = open_store(url, allow_unsafe=True)
        try:
            return await store.write(work)
        finally:
            await store.close()

    return asyncio.run(run())


@dataclass
class Run:
    """Two phones of one grid and the store they talk to, at a time that only moves by hand."""

    url: str
    world: World
    folder: Path
    true_ms: int
    phones: dict[str, Phone] = field(default_factory=dict)
    clocks: list[SteppedClock] = field(default_factory=list)
    made: dict[str, str] = field(default_factory=dict)
    http: httpx.Client = field(default_factory=httpx.Client)

    def pass_time(self) -> None:
        self.true_ms += 20 * MINUTE_MS
        continue_from(self.true_ms)
        for clock in self.clocks:
            clock.advance(20 * MINUTE_MS)

    def enrol(self, login: str, base_url: str) -> None:
        clock = SteppedClock(wall_ms=self.true_ms, uptime_ms=10**7, boot=login)
        path = self.folder / f"{login}.sqlite"
        chance = random.Random(login)  # noqa: S311 - the same ids in both runs
        phone = Phone(path, self.http, clock=clock, chance=chance)
        phone.enrol(base_url, self.world.tokens[login])
        self.phones[login] = phone
        self.clocks.append(clock)
        assert phone.sync().up_to_date

    def work(self, login: str, part: str) -> None:
        """A note, an edit of a field of one's own, and a set element."""
        phone, home = self.phones[login], self.world.households["G1"]
        name = f"{login} {part}"
        self.made[name] = phone.create("note", set={"parent": home, "text": name})
        phone.edit(home, set={"door" if login == "ann" else "contact_phone": name})
        phone.edit(home, add={"languages": [f"{login[0]}{part[0]}"]})

    def sync(self, login: str, base_url: str) -> None:
        phone = self.phones[login]
        phone._store.keep_setting("base_url", base_url)
        reports = []
        for _ in range(4):
            self.pass_time()
            reports.append(phone.sync())
            if reports[-1].up_to_date and not phone.pending():
                return
        raise AssertionError(f"{login} does not come to rest: {reports}")


def days(run: Run, at: Any, *, restore: Any) -> None:
    """Two days of work; `restore` happens in the middle or not at all. `at` serves a store."""
    with at(run.url) as live:
        for login in ("ann", "bob"):
            run.enrol(login, live.url)
        for login in ("ann", "bob"):
            run.work(login, "morning")
            run.sync(login, live.url)
        backup = restore(run)
        for login in ("bob", "ann"):
            run.work(login, "noon")
            run.sync(login, live.url)
        run.work("ann", "evening")  # not handed in before the store is lost
    if backup is not None:
        run.url = backup
        in_store(run.url, lambda db: begin_again(db, now_ms=now_ms()))
    with at(run.url) as live:
        for login in ("bob", "ann"):
            run.work(login, "next day")
            run.sync(login, live.url)
            run.sync("ann" if login == "bob" else "bob", live.url)


def what_phones_made(run: Run) -> dict[str, Any]:
    """The states of what phones wrote, by what it is, without ids and revisions."""
    rows = in_store(
        run.url,
        lambda db: db.execute(text("SELECT id, body FROM record")).all(),
    )
    states = {str(row[0]): json.loads(bytes(row[1]))["state"] for row in rows}
    home = states[run.world.households["G1"]]
    notes = {name: states[record]["text"] for name, record in run.made.items()}
    shown = {name: home.get(name) for name in ("door", "contact_phone", "languages")}
    return {"home": shown, "notes": notes, "conflicts": home.get("conflicts")}


def outcomes(run: Run) -> dict[str, list[tuple[int, str]]]:
    return {
        login: [(each.n, str(each.outcome)) for each in phone.outcomes()]
        for login, phone in run.phones.items()
    }


@pytest.fixture
def begun(database_url: str, tmp_path: Path) -> Iterator[Run]:
    with ExitStack() as stack:
        stack.callback(continue_from, None)
        true_ms = now_ms()
        continue_from(true_ms)

        async def build() -> World:
            store = open_store(database_url, allow_unsafe=True)
            world = await build_world(store)
            await store.close()
            return world

        run = Run(
            url=database_url, world=asyncio.run(build()), folder=tmp_path, true_ms=true_ms
        )
        stack.callback(run.http.close)
        yield run
        for phone in run.phones.values():
            phone.close()


def at(url: str) -> Any:
    return live_server(Settings(database_url=url, allow_unsafe=True))


def test_a_run_with_a_restore_ends_like_one_without(
    begun: Run, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    embedded = begun.url.startswith("sqlite")
    postgres = None if embedded else request.getfixturevalue("postgres")
    start = tmp_path / "start"
    start.mkdir()
    control_url = backed_up(begun.url, start, postgres)
    control = Run(
        url=control_url, world=begun.world, folder=start, true_ms=begun.true_ms, http=begun.http
    )
    try:
        days(control, at, restore=lambda _run: None)
        expected = (what_phones_made(control), outcomes(control))
    finally:
        for phone in control.phones.values():
            phone.close()
        dropped(control_url, postgres)
    continue_from(begun.true_ms)
    days(begun, at, restore=lambda run: backed_up(run.url, tmp_path, postgres))
    assert what_phones_made(begun) == expected[0]
    assert set(expected[0]["home"]["languages"]) >= {"am", "an", "ae", "bm", "bn"}
    assert {login: {n for n, _ in each} for login, each in outcomes(begun).items()} == {
        login: {n for n, _ in each} for login, each in expected[1].items()
    }
    assert in_store(begun.url, lambda db: list(refold(db))) == []
    dropped(begun.url, postgres)


def test_a_clone_is_noticed_again_after_a_restore(begun: Run, tmp_path: Path) -> None:
    with at(begun.url) as live:
        begun.enrol("ann", live.url)
        begun.work("ann", "morning")
        begun.sync("ann", live.url)
    original = begun.phones["ann"]
    original.close()
    shutil.copyfile(tmp_path / "ann.sqlite", tmp_path / "clone.sqlite")
    clock = begun.clocks[0]
    chance = random.Random(0)  # noqa: S311
    begun.phones["ann"] = Phone(tmp_path / "ann.sqlite", begun.http, clock=clock, chance=chance)
    clone = Phone(tmp_path / "clone.sqlite", begun.http, clock=clock, chance=chance)
    in_store(begun.url, lambda db: begin_again(db, now_ms=now_ms()))
    with at(begun.url) as live:
        begun.work("ann", "next day")
        begun.sync("ann", live.url)
        begun.sync("ann", live.url)
        clone._store.keep_setting("base_url", live.url)
        begun.pass_time()
        report = clone.sync()
    clone.close()
    assert report.identity_doubtful
    assert report.failure is not None
    assert report.failure.slug == "stale-lease"
