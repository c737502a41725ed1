"""Broken glass: it opens what was named, for reading, until it ends; on both stores."""

import random
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, update

from server.areas.queries import scope_of
from server.breakglass import queries
from server.breakglass.commands import MINUTE_MS
from server.breakglass.sight import sight_of
from server.clock import new_id, now_ms
from server.db.store import Store
from server.db.tables import BreakGlass
from server.doctor import glass_finding
from server.households.queries import households_in
from server.identity.principal import AreaSpan, Principal, Role
from tests.server.desk import Desk, pointers, told
from tests.server.numbers import residents
from tests.server.test_access_log import entries
from tests.world import GRIDS, World

pytestmark = [pytest.mark.anyio, pytest.mark.db]
PATH = "/v1/break-glass"
WHY = "A pipe burst, and the street is under water."
WHO = "dispatcher-n2"
HOUR_MS = 60 * MINUTE_MS
BELOW = {"S": set(GRIDS), "N1": {"G1", "G2"}, **{code: {code} for code in GRIDS}}


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


async def broken(desk: Desk, **named: Any) -> Any:
    return await desk.done(PATH, WHO, {"reason": WHY, **named})


async def close(store: Store, glass: str) -> None:
    """Let one have ended an hour ago."""
    table = BreakGlass.__table__
    ended = update(table).where(table.c.id == glass)
    times = {
        "at_ms": table.c.at_ms - 4 * HOUR_MS,
        "until_ms": table.c.until_ms - 4 * HOUR_MS,
    }
    await store.write(lambda db: db.execute(ended.values(times)).rowcount)


async def test_an_area_is_read_but_not_written_and_every_answer_names_the_glass(
    desk: Desk, world: World, store: Store
) -> None:
    home, own = world.households["G1"], world.households["G3"]
    (resident,) = await residents(store, world, "G1")
    paths = (
        f"/v1/households/{home}",
        f"/v1/households/{home}/residents",
        f"/v1/residents/{resident}",
        f"/v1/records/{home}/history?values=true",
    )
    look = {"purpose": "visits", "reason": "To warn them.", "fields": ["name"]}
    for path in paths:
        assert told(await desk.get(path, WHO)) == (404, "not-found")
    glass = await broken(desk, area="G1", minutes=30)
    assert (glass["open"], glass["until_ms"] - glass["at_ms"]) == (True, 30 * MINUTE_MS)
    before = len(await entries(store))
    for path in paths:
        assert (await desk.get(path, WHO)).status_code == 200
    revealed = await desk.done(f"/v1/records/{resident}/reveal", WHO, look)
    assert revealed["values"]["name"].startswith("Nobody")
    found = await desk.done("/v1/households/search", WHO, {"q": "Block G1"})
    assert [each["household"]["id"] for each in found["items"]] == [home]
    listed = {each["id"] for each in await desk.items("/v1/households", WHO)}
    assert listed == {world.households[code] for code in ("G1", "G3", "G4")}
    in_area = await desk.items("/v1/households", WHO, area="G1")
    assert [each["id"] for each in in_area] == [home]
    made = (await entries(store))[before:]
    assert len(made) == len(paths) + 4
    assert {each.grant_id for each in made} == {glass["id"]}
    assert {each.reason for each in made} == {WHY, look["reason"]}
    assert (await desk.get(f"/v1/households/{own}", WHO)).status_code == 200
    assert (await entries(store))[-1].grant_id is None
    under = await desk.items("/v1/access-log", "admin", grant=glass["id"])
    assert len(under) == len(made)
    answers = [
        await desk.patch(f"/v1/households/{home}", WHO, {"door": "9"}, rev=1),
        await desk.post(f"/v1/households/{home}/residents", WHO, {"name": "New"}),
        await desk.post(f"/v1/records/{home}/erase", WHO, {"reason": "request"}, rev=1),
        await desk.get(f"/v1/households/{world.households['G2']}", WHO),
        await desk.get(f"/v1/households/{home}", "cat"),
    ]
    assert [each.status_code for each in answers[:2] + answers[3:]] == [404] * 4
    assert answers[2].status_code >= 400
    await close(store, glass["id"])
    for path in paths:
        assert told(await desk.get(path, WHO)) == (404, "not-found")


async def test_one_record_is_opened_and_none_beside_it(
    desk: Desk, world: World, store: Store
) -> None:
    home = world.households["G1"]
    beside = await desk.done(
        "/v1/households", "dispatcher", {"dwelling": world.dwellings["G1"], "door": "2"}
    )
    (resident,) = await residents(store, world, "G1")
    await broken(desk, record=home)
    whole = (await desk.get(f"/v1/households/{home}", WHO)).json()
    assert [each["id"] for each in whole["residents"]] == [resident]
    assert (await desk.get(f"/v1/households/{home}/visits", WHO)).status_code == 200
    for path in (
        f"/v1/households/{beside['id']}",
        f"/v1/residents/{resident}",
        f"/v1/records/{beside['id']}/history",
    ):
        assert told(await desk.get(path, WHO)) == (404, "not-found")
    listed = {each["id"] for each in await desk.items("/v1/households", WHO)}
    assert listed == {world.households[code] for code in ("G3", "G4")}
    found = await desk.done("/v1/households/search", WHO, {"q": "Block G1"})
    assert found["items"] == []


async def test_what_cannot_be_opened_is_refused_by_name(desk: Desk, world: World) -> None:
    home = world.households["G1"]
    refused = {
        "/area": ("nowhere", "D", "C", "N2", "G3"),
        "/record": (new_id(), world.dwellings["G1"], world.households["G3"]),
    }
    for pointer, named in refused.items():
        for each in named:
            asked = {pointer[1:]: each, "reason": WHY}
            assert pointers(await desk.post(PATH, WHO, asked)) == [pointer]
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"area": "G1"}, "/reason"),
        ({"area": "G1", "reason": " "}, "/reason"),
        ({"area": "G1", "reason": WHY, "minutes": 181}, "/minutes"),
        ({"reason": WHY}, ""),
        ({"area": "G1", "record": home, "reason": WHY}, ""),
    )
    for body, pointer in wrong:
        assert pointers(await desk.post(PATH, WHO, body)) == [pointer]
    for login in ("ann", "analyst", "admin"):
        answer = await desk.post(PATH, login, {"area": "G1", "reason": WHY})
        assert told(answer) == (403, "forbidden")
    for _ in range(5):
        await broken(desk, area="G1")
    sixth = await desk.post(PATH, WHO, {"area": "G1", "reason": WHY})
    assert told(sixth) == (409, "transition-refused")


async def test_somebody_else_reviews_it_once_and_that_ends_it(
    desk: Desk, world: World, store: Store
) -> None:
    home = f"/v1/households/{world.households['G1']}"
    ended, glass = await broken(desk, area="G2"), await broken(desk, area="G1")
    assert (await store.read(lambda db: glass_finding(db, now_ms()))).ok
    await close(store, ended["id"])
    finding = await store.read(lambda db: glass_finding(db, now_ms()))
    assert (finding.ok, ended["id"] in finding.detail) == (False, True)
    assert (await desk.get(home, WHO)).status_code == 200
    review = {"verdict": "justified", "text": "The street was under water."}
    path = f"{PATH}/{glass['id']}/review"
    assert told(await desk.post(path, WHO, review)) == (403, "forbidden")
    assert pointers(await desk.post(path, "admin", {**review, "verdict": "fine"})) == [
        "/verdict"
    ]
    waiting = await desk.items(PATH, "admin", reviewed="false", limit=1)
    assert [each["id"] for each in waiting] == [glass["id"], ended["id"]]
    done = await desk.done(path, "admin", review)
    assert (done["verdict"], done["reviewed_by"], done["open"]) == ("justified", "admin", False)
    assert told(await desk.get(home, WHO)) == (404, "not-found")
    assert told(await desk.post(path, "admin", review)) == (409, "transition-refused")
    unknown = f"{PATH}/{new_id()}/review"
    assert told(await desk.post(unknown, "admin", review)) == (404, "not-found")
    assert [each["id"] for each in await desk.items(PATH, "admin", reviewed="true")] == [
        glass["id"]
    ]
    assert [each["id"] for each in await desk.items(PATH, WHO)] == [glass["id"], ended["id"]]
    assert await desk.items(PATH, "dispatcher") == []
    assert told(await desk.get(PATH, "analyst")) == (403, "forbidden")
    later = now_ms() + 1

    def gone(db: Connection, *, dry_run: bool) -> int:
        return queries.forget_reviewed(db, before_ms=later, dry_run=dry_run)

    assert await store.write(lambda db: gone(db, dry_run=True)) == 1
    assert await store.write(lambda db: gone(db, dry_run=False)) == 1
    assert [each["id"] for each in await desk.items(PATH, WHO)] == [ended["id"]]


class Chances:
    """Random glass of two people, and what the model says is open at an instant."""

    START_MS = 1_000_000_000_000

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.chance = random.Random(seed)  # noqa: S311 - a test's chance
        self.broken: list[tuple[str, str, int, int]] = []

    def break_some(self, db: Connection) -> None:
        db.execute(BreakGlass.__table__.delete())
        self.broken = []
        for _ in range(self.chance.randint(1, 4)):
            who, code = self.chance.choice((WHO, "dispatcher")), self.chance.choice([*BELOW])
            at_ms = self.START_MS + self.chance.randrange(4 * HOUR_MS)
            until_ms = at_ms + self.chance.randint(1, 3 * HOUR_MS)
            self.broken.append((who, code, at_ms, until_ms))
            queries.add(
                db,
                {
                    "id": new_id(),
                    "account_id": self.world.accounts[who],
                    "area_id": self.world.areas[code],
                    "reason": WHY,
                    "at_ms": at_ms,
                    "until_ms": until_ms,
                },
            )

    def instants(self) -> list[int]:
        """Just before, at and just after the edges."""
        edges = [time for *_, at_ms, until_ms in self.broken for time in (at_ms, until_ms)]
        return [self.chance.choice(edges) + self.chance.choice((-1, 0, 1)) for _ in range(6)]

    def opened(self, instant: int) -> set[str]:
        codes = [
            code
            for who, code, at_ms, until_ms in self.broken
            if who == WHO and at_ms <= instant < until_ms
        ]
        return set().union(*(BELOW[code] for code in codes))


async def test_it_ends_on_time_and_opens_nothing_else_whatever_was_broken(
    world: World, store: Store
) -> None:
    """Random glass and instants: what is seen is the own area and what is open then."""
    chances = Chances(world, seed=20_260_131)

    def compare(db: Connection) -> int:
        row = queries.area_named(db, "N2")
        assert row is not None
        own = AreaSpan(id=row.id, lo=row.lo, hi=row.hi)
        account = world.accounts[WHO]
        who = Principal(account=account, login=WHO, role=Role.DISPATCHER, area=own)
        for _ in range(40):
            chances.break_some(db)
            for instant in chances.instants():
                sight = sight_of(db, who, instant)
                rows = households_in(db, sight.scope, equal={}, after_id=None, limit=100)
                seen = {"G3", "G4", *chances.opened(instant)}
                assert {row.id for row in rows} == {world.households[code] for code in seen}
                glass = sight.glass(row.area_no for row in rows)
                assert (glass is None) == (seen == {"G3", "G4"})
                assert scope_of(db, who, instant) == (own,)
        return 0

    await store.write(compare)
