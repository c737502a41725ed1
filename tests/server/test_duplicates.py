"""What may be entered twice is suggested inside a scope, and nothing is merged by itself."""

from itertools import combinations
from random import Random
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection

from server.areas.queries import narrowed
from server.clock import new_id
from server.db.store import Store
from server.duplicates import finding, queries
from server.duplicates.rules import Home, Person, alike_homes, alike_people
from server.identity.principal import AreaSpan
from server.problems import InvalidParameter
from sync.searching import phone_key, search_key
from tests.server.desk import Desk, pointers, told
from tests.server.phones import RawPhone, outcomes
from tests.world import World, done, draft

pytestmark = [pytest.mark.anyio, pytest.mark.db]
EVERYWHERE = (AreaSpan(id="", lo=0, hi=2**62),)
NAMES = ("王小明", "王 小明", "Wu Li", "wu-li", "Wu Lin", "Zhao", "", "\uff21nna", "Anna")


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


async def test_a_family_entered_twice_is_suggested_until_somebody_says_otherwise(
    desk: Desk, client: httpx.AsyncClient, world: World
) -> None:
    ann = await RawPhone.enrol(client, world.tokens["ann"])
    cat = await RawPhone.enrol(client, world.tokens["cat"])
    one, two, three = sorted(new_id() for _ in range(3))
    homes = {one: ann, two: ann, three: cat}
    for home, phone in homes.items():
        dwelling = world.dwellings["G1" if phone is ann else "G3"]
        made = [
            phone.change(
                home,
                "household",
                0,
                set={"dwelling": dwelling, "contact_phone": f"13{home[-9:]}"},
            ),
            phone.change(
                new_id(),
                "resident",
                0,
                set={"household": home, "name": "王小明", "birth_year": 1990},
            ),
        ]
        assert outcomes(await phone.sync(made)) == {}
    (pair,) = await desk.items("/v1/duplicates", "dispatcher", kind="household")
    assert pair == {
        "kind": "household",
        "first": one,
        "second": two,
        "likeness": 65,
        "reasons": ["same-dwelling", "same-residents"],
    }
    people = await desk.items("/v1/duplicates", "dispatcher", kind="resident", limit=1)
    assert len(people) == 3
    assert [each["likeness"] for each in people].count(95) == 1
    for login, area, count in (("dispatcher", "N1", 1), ("dispatcher-n2", None, 0)):
        asked = {"kind": "resident"} | ({} if area is None else {"area": area})
        assert len(await desk.items("/v1/duplicates", login, **asked)) == count
    path, said = "/v1/duplicates/distinct", {"kind": "household", "first": two, "second": one}
    for login, wrong, where in (
        ("dispatcher-n2", {}, ["/first", "/second"]),
        ("dispatcher", {"first": one}, ["/second"]),
        ("dispatcher", {"kind": "resident"}, ["/first", "/second"]),
        ("dispatcher", {"first": "x"}, ["/first"]),
    ):
        assert pointers(await desk.post(path, login, said | wrong)) == where
    for _ in range(2):
        assert (await desk.post(path, "dispatcher", said)).status_code == 204
    assert await desk.items("/v1/duplicates", "dispatcher", kind="household") == []
    (ruling,) = await desk.items(path, "dispatcher", kind="household", limit=1)
    assert (ruling["first"], ruling["second"], ruling["by"]) == (one, two, "dispatcher")
    assert await desk.items(path, "dispatcher-n2", kind="household") == []
    assert {each["id"] for each in await desk.items("/v1/households", "dispatcher")} >= set(
        homes
    )
    assert told(await desk.get("/v1/duplicates?kind=resident", "ann")) == (403, "forbidden")
    assert told(await desk.get("/v1/duplicates", "dispatcher")) == (400, "invalid-parameter")
    noted = await desk.items("/v1/access-log", "admin")
    assert {"household", "resident"} <= {each["kind"] for each in noted}


def crowd(chance: Random, world: World) -> list[Any]:
    """Households and residents whose names, numbers, doors and years meet all the time."""
    drafts = []
    for at in range(24):
        home = new_id()
        said: dict[str, Any] = {"dwelling": world.dwellings[chance.choice(("G1", "G2", "G3"))]}
        for name, values in (
            ("door", ("1", "\uff12", "2", "")),
            ("contact_phone", ("", "139 1", "1391")),
        ):
            if value := chance.choice(values):
                said[name] = value
        drafts.append(draft(home, "household", said))
        for _ in range(at % 3):
            resident: dict[str, Any] = {"household": home, "name": chance.choice(NAMES) or "Li"}
            if chance.random() < 0.7:
                resident["birth_year"] = chance.choice((1980, 1981, 1990))
            if chance.random() < 0.3:
                resident["phone"] = chance.choice(("555 1", "5551", "77"))
            drafts.append(draft(new_id(), "resident", resident))
    return drafts


def brute(db: Connection, kind: str, scope: Any) -> list[tuple[str, str, int]]:
    """Every pair of a scope that looks alike, by looking at each."""
    rows = {
        "resident": lambda: queries.people_from(db, scope, first=None, limit=1_000),
        "household": lambda: queries.homes_from(db, scope, first=None, limit=1_000),
    }[kind]()
    names: dict[str, set[str]] = {}
    found: list[Any]
    if kind == "household":
        for row in queries.names_in(db, scope, [each.id for each in rows]):
            names.setdefault(row.household_id, set()).add(row.name_key)
        found = [
            Home(
                id=row.id,
                dwelling=row.dwelling_id,
                door_key=row.door_key,
                phone_key=row.phone_key,
                names=frozenset(names.get(row.id, ())),
            )
            for row in rows
        ]
    else:
        found = [
            Person(
                id=row.id,
                household=row.household_id,
                dwelling=row.dwelling_id,
                name_key=row.name_key,
                phone_key=row.phone_key,
                birth_year=row.birth_year,
            )
            for row in rows
        ]
    alike: Any = alike_homes if kind == "household" else alike_people
    return [
        (one.id, other.id, likeness.score)
        for one, other in combinations(found, 2)
        if (likeness := alike(one, other)).suggested
    ]


@pytest.mark.parametrize("kind", ["household", "resident"])
async def test_the_finder_finds_what_looking_at_every_pair_finds_and_nothing_outside(
    store: Store, world: World, kind: str
) -> None:
    walk = finding.Walk(rows=7, chunks=2)
    drafts = crowd(Random(kind), world)  # noqa: S311 - which crowd does not matter
    await store.write(lambda db: done(db, world.importer, drafts))

    def compared(db: Connection) -> int:
        seen = 0
        for area in ("D", "N1", "N2", "G1"):
            scope = narrowed(db, EVERYWHERE, area)
            found, after = [], None
            while True:
                page = finding.suggested(db, scope, kind, after=after, limit=5, walk=walk)
                assert len(page.items) <= 5
                found += [(each.first, each.second, each.likeness.score) for each in page.items]
                after = page.after
                if after is None:
                    break
            assert found == brute(db, kind, scope)
            seen += len(found)
        return seen

    assert await store.read(compared) > 10
    with pytest.raises(InvalidParameter):
        await store.read(lambda db: narrowed(db, EVERYWHERE, "elsewhere"))


async def test_a_key_that_many_have_says_nothing_of_two_of_them(
    store: Store, world: World
) -> None:
    home = world.households["G1"]
    assert search_key("王 伟") == search_key("王伟")
    assert phone_key("555-1") == phone_key("5551")

    def named(count: int, name: str) -> list[Any]:
        said = {"household": home, "name": name}
        return [draft(new_id(), "resident", said) for _ in range(count)]

    drafts = [*named(queries.SHARED_MAX + 1, "王伟"), *named(3, "Wu Li")]
    await store.write(lambda db: done(db, world.importer, drafts))
    page = await store.read(
        lambda db: finding.suggested(db, EVERYWHERE, "resident", after=None, limit=100)
    )
    assert len(page.items) == 3
