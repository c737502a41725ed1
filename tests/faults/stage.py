"""A stage: one database with a small world, the server before it, and the crew."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from server.db.store import open_store
from tests.faults.crew import Hand
from tests.faults.servers import (
    Cluster,
    Launcher,
    Server,
    folder,
    fresh_postgres,
    fresh_sqlite,
    small_disk,
)
from tests.world import World, build_world

WORKERS = (("ann", ("G1",)), ("bob", ("G1", "G2")), ("cat", ("G3",)), ("bob", ("G2", "G1")))


@dataclass
class Stage:
    """Everything a run needs; the crew's phones are closed with it."""

    name: str
    folder: Path
    url: str
    server: Server
    world: World
    hands: list[Hand] = field(default_factory=list)

    def hand(self, number: int, *, url: str | None = None, timeout_s: float = 8) -> Hand:
        """Enrol the phone of the `number`-th worker; the server must be up."""
        login, grids = WORKERS[number % len(WORKERS)]
        made = Hand(
            url or self.server.url,
            self.world.tokens[login],
            households=[self.world.households[each] for each in grids],
            seed=number,
            timeout_s=timeout_s,
        )
        self.hands.append(made)
        return made

    def crew(self, size: int) -> Sequence[Hand]:
        """Enrol `size` phones."""
        return [self.hand(number) for number in range(size)]


@contextmanager
def stage(
    name: str,
    launcher: Launcher,
    *,
    cluster: Cluster | None = None,
    plant: int | None = None,
    disk_mib: int | None = None,
) -> Iterator[Stage]:
    """A fresh world on `name` (`sqlite`, or `postgresql` in `cluster`); no server runs yet.

    With `disk_mib` the embedded store lies on a disk of its own of that size.
    """
    small = small_disk if disk_mib is not None and cluster is None else _any_disk
    with folder() as where, small(where, mib=disk_mib or 0):
        url = fresh_sqlite(where) if cluster is None else fresh_postgres(cluster, where.name)
        server = Server(launcher, url, where, plant=plant)
        made = Stage(
            name=name, folder=where, url=url, server=server, world=asyncio.run(_built(url))
        )
        try:
            yield made
        finally:
            server.kill()
            for hand in made.hands:
                hand.close()
            if cluster is not None:  # recovery reads every file of the cluster
                cluster.drop(where.name)


@contextmanager
def _any_disk(where: Path, *, mib: int) -> Iterator[None]:
    del where, mib
    yield


async def _built(url: str) -> World:
    store = open_store(url, allow_unsafe=True)
    try:
        return await build_world(store)
    finally:
        await store.close()
