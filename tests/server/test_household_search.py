"""Looking for households: by what is said, in one's own area; nothing is written down."""

import logging
from typing import Any, cast

import httpx
import pytest
from sqlalchemy import Connection, text

from server.areas.scope import Scope
from server.db.store import Store
from server.households.queries import households_found
from server.identity.principal import AreaSpan
from sync.searching import sought
from tests.server.desk import Desk, pointers, told
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]
SEARCH = "/v1/households/search"


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


async def found(desk: Desk, login: str, q: str, **more: Any) -> dict[str, list[str]]:
    """What a search finds: household id to the columns by which it was found."""
    answer = await desk.post(SEARCH, login, {"q": q, **more})
    assert answer.status_code == 200, answer.text
    return {each["household"]["id"]: each["matched"] for each in answer.json()["items"]}


@pytest.fixture
async def home(desk: Desk, world: World) -> str:
    """The household of grid G1 with a door, a number and two residents."""
    made = await desk.done(
        "/v1/households",
        "ann",
        {"dwelling": world.dwellings["G1"], "door": "3-402", "contact_phone": "139 0000 4321"},
    )
    for name, phone in (("王 小明", "+86 139-1111-2222"), ("Ana-Lía Öz", None)):
        resident = {"name": name} | ({} if phone is None else {"phone": phone})
        await desk.done(f"/v1/households/{made['id']}/residents", "ann", resident)
    return str(made["id"])


@pytest.mark.parametrize(
    ("q", "matched"),
    [
        ("王小明", ["name"]),
        ("王", ["name"]),
        ("ANALÍA", ["name"]),
        ("13911112222", ["phone"]),
        ("0086 139 1111 2222", ["phone"]),
        ("2222", ["phone"]),
        ("4321", ["phone"]),
        ("3402", ["door"]),
        ("3－402", ["door"]),  # noqa: RUF001 - a full-width hyphen is what is tested
    ],
)
async def test_a_household_is_found_by_what_is_said_of_it(
    desk: Desk, home: str, q: str, matched: list[str]
) -> None:
    assert await found(desk, "ann", q) == {home: matched}


@pytest.mark.parametrize(
    "q", ["小明", "王大", "1391111", "222", "13911112223", "402", "%", "_王"]
)
async def test_what_is_not_said_is_not_found(desk: Desk, home: str, q: str) -> None:
    answer = await desk.post(SEARCH, "ann", {"q": q})
    if q == "%":
        assert told(answer) == (422, "invalid-body")
        assert pointers(answer) == ["/q"]
    else:
        ids = [each["household"]["id"] for each in answer.json()["items"]]
        assert (home in ids) == (q == "_王")


async def test_everybody_at_a_dwelling_is_found_by_its_address_and_code(
    desk: Desk, world: World, home: str
) -> None:
    both = {home, world.households["G1"]}
    for q, how in (("block g1", "address"), ("G1", "address"), (" WG1 ", "code")):
        assert await found(desk, "ann", q) == {each: [how] for each in both}
    assert await found(desk, "ann", "lock g") == {}


async def test_nothing_is_found_outside_of_ones_area(desk: Desk, home: str) -> None:
    for q in ("王小明", "2222", "3-402", "Block G1", "WG1"):
        assert home in await found(desk, "bob", q)
        assert await found(desk, "dispatcher-n2", q) == {}
        assert home in await found(desk, "dispatcher", q, area="N1")
        assert await found(desk, "dispatcher", q, area="N2") == {}
    outside = await desk.post(SEARCH, "dispatcher-n2", {"q": "Block", "area": "N1"})
    assert told(outside) == (400, "invalid-parameter")
    for login in ("analyst", "admin"):
        assert told(await desk.post(SEARCH, login, {"q": "Block"})) == (403, "forbidden")


async def test_a_cut_list_says_that_there_is_more(desk: Desk, world: World, home: str) -> None:
    short = (await desk.post(SEARCH, "dispatcher", {"q": "block", "limit": 2})).json()
    assert (len(short["items"]), short["more"]) == (2, True)
    whole = (await desk.post(SEARCH, "dispatcher", {"q": "block"})).json()
    ids = {each["household"]["id"] for each in whole["items"]}
    assert (ids, whole["more"]) == ({home, *world.households.values()}, False)
    for number in range(3):
        await desk.done(f"/v1/households/{home}/residents", "ann", {"name": f"Lin {number}"})
    one = (await desk.post(SEARCH, "ann", {"q": "lin", "limit": 2})).json()
    assert (len(one["items"]), one["more"]) == (1, True)


async def test_what_changes_is_found_anew_and_what_is_put_away_is_not(
    desk: Desk, home: str
) -> None:
    patched = await desk.patch(f"/v1/households/{home}", "ann", {"door": "7B"}, rev=1)
    assert patched.status_code == 200, patched.text
    assert await found(desk, "ann", "3-402") == {}
    assert await found(desk, "ann", "7b") == {home: ["door"]}
    gone = await desk.post(
        f"/v1/records/{home}/archive", "dispatcher", {"text": "entered twice"}, rev=2
    )
    assert gone.status_code == 200, gone.text
    for q in ("7b", "王小明", "4321"):
        assert await found(desk, "ann", q) == {}


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"q": ""}, "/q"),
        ({"q": "x" * 101}, "/q"),
        ({"q": " -·"}, "/q"),
        ({"q": 7}, "/q"),
        ({}, "/q"),
        ({"q": "x", "limit": 51}, "/limit"),
        ({"q": "x", "limit": 0}, "/limit"),
        ({"q": "x", "name": "y"}, "/name"),
    ],
)
async def test_what_cannot_be_looked_for_is_refused(
    desk: Desk, body: dict[str, Any], at: str
) -> None:
    answer = await desk.post(SEARCH, "ann", body)
    assert (told(answer), pointers(answer)) == ((422, "invalid-body"), [at])


async def test_what_is_looked_for_is_in_no_log(
    desk: Desk, home: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert await found(desk, "ann", "王小明") == {home: ["name"]}
    assert (await desk.post(SEARCH, "ann", {"q": "王小明", "limit": 0})).status_code == 422
    ours = [
        each for each in caplog.records if not each.name.startswith(("aiosqlite", "asyncio"))
    ]
    assert "王小明" not in "".join(each.getMessage() for each in ours)


async def test_a_search_walks_the_indexes_of_the_keys(store: Store, world: World) -> None:
    """A plan that reads a whole table would be slow only where it hurts: so plans are read."""
    scope: Scope = (AreaSpan(id=world.areas["C"], lo=0, hi=2**62),)

    def plan(db: Any) -> str:
        asked = sought("139 0000 4321")
        assert asked is not None
        statements: list[str] = []
        if db.dialect.name == "postgresql":
            db.execute(text("SET LOCAL enable_seqscan = off"))
        words = "EXPLAIN" if db.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"

        class Explaining:
            dialect, info = db.dialect, db.info

            def __getattr__(self, name: str) -> Any:
                return getattr(db, name)

            def execute(self, statement: Any, named: Any) -> Any:
                compiled = statement.compile(dialect=db.dialect)
                asked_for = {**compiled.params, **named}
                arguments = tuple(asked_for[name] for name in compiled.positiontup)
                rows = db.exec_driver_sql(f"{words} {compiled}", arguments)
                statements.extend(str(row) for row in rows)
                return db.execute(statement, named)

        households_found(cast("Connection", Explaining()), scope, "1", asked, limit=20)
        return "\n".join(statements)

    seen = await store.read(plan)
    for column in ("dwelling_address", "dwelling_address_end", "household_door"):
        assert f"ix_{column}_key_area_no" in seen
    for column in ("household_phone", "resident_phone", "resident_name"):
        assert f"ix_{column}_key_area_no" in seen
