"""What holds for every batch, split, replay and assignment, over HTTP on both stores."""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, update
from sqlmodel import col

from server.clock import new_id, now_ms
from server.db.store import Store
from server.db.tables import Assignment, RecordRow
from server.identity.principal import Role
from server.identity.queries import assign, create_account, create_token
from sync.ids import derived_id
from tests.protocol.witness import Witness
from tests.server.phones import RawPhone, bearer, held
from tests.world import DAY_MS, GRIDS, World, centre_e7

pytestmark = [pytest.mark.anyio, pytest.mark.db]
MODEST = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
HOMES = 3
EDITS = ("home", "door", "phone", "languages", "fewer", "odd")
Step = tuple[str, int, str]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "home",
                "door",
                "phone",
                "languages",
                "fewer",
                "visit",
                "note",
                "report",
                "odd",
                "claim",
            ]
        ),
        st.integers(0, HOMES - 1),
        st.sampled_from(["1", "22", "333"]),
    ),
    min_size=1,
    max_size=14,
)


def step(phone: RawPhone, world: World, what: str, home: str, text: str) -> dict[str, Any]:
    """One step as the phone's next mutation, about a household of its own."""
    edits: dict[str, dict[str, Any]] = {
        "home": {"base": 0, "set": {"dwelling": world.dwellings["G1"], "door": text}},
        "door": {"base": 1, "set": {"door": text}},
        "phone": {"base": 2, "set": {"contact_phone": text}},
        "languages": {"base": 1, "add": {"languages": [text]}},
        "fewer": {"base": 1, "remove": {"languages": [text]}},
        "odd": {"base": 0, "set": {"door": 1.5}},
    }
    facts: dict[str, dict[str, Any]] = {
        "visit": {"household": home, "outcome": "done", "text": text},
        "note": {"parent": home, "text": text},
    }
    if what in edits:
        return phone.change(home, "household", **edits[what])
    if what in facts:
        return phone.change(new_id(), what, 0, set=facts[what])
    if what == "report":
        return phone.report(*centre_e7(len(text) - 1), text=text)
    return phone.change(home, "task", 1, act="finish", args={"result": text})


def mutations(
    phone: RawPhone, world: World, steps: Sequence[Step]
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Steps as mutations of one phone, and names for the ids they bring up."""
    homes = [new_id() for _ in range(HOMES)]
    names = {phone.id: "phone"}
    batch: list[dict[str, Any]] = []
    for what, which, text in steps:
        made = step(phone, world, what, homes[which], text)
        names[made["record"]] = f"record {len(batch)}"
        names[derived_id(made["record"], "incident")] = f"incident {len(batch)}"
        batch.append(made)
    return batch, names | {each: f"home {at}" for at, each in enumerate(homes)}


def cut(batch: Sequence[Any], cuts: frozenset[int]) -> list[Sequence[Any]]:
    """A batch cut into requests at some places."""
    edges = [0, *sorted(each for each in cuts if 0 < each < len(batch)), len(batch)]
    return [batch[start:end] for start, end in pairwise(edges)]


async def outcomes_of(phone: RawPhone, parts: Sequence[Any]) -> dict[int, Any]:
    """Send parts in order; what became of each number."""
    found: dict[int, Any] = {}
    for part in parts:
        listed = {each["n"]: each for each in (await phone.sync(part))["outcomes"]}
        for mutation in part:
            each = listed.get(mutation["n"], {"outcome": "applied"})
            found[mutation["n"]] = (each["outcome"], each.get("code"), each.get("detail"))
    return found


async def stored(store: Store, names: Mapping[str, str]) -> list[Any]:
    """The bodies of the records with `names`, with names in the place of ids."""

    def read(db: Connection) -> list[str]:
        statement = select(RecordRow.body).where(col(RecordRow.id).in_(list(names)))
        return [bytes(row.body).decode() for row in db.execute(statement)]

    bodies = await store.read(read)
    for key, name in names.items():
        bodies = [body.replace(key, name) for body in bodies]
    return sorted((json.loads(body) for body in bodies), key=lambda each: str(each["record"]))


@MODEST
@given(steps=STEPS, cuts=st.frozensets(st.integers(1, 13), max_size=6))
async def test_any_split_of_a_batch_ends_in_the_same_bodies(
    still_client: httpx.AsyncClient,
    store: Store,
    world: World,
    *,
    steps: list[Step],
    cuts: frozenset[int],
) -> None:
    ends = []
    for parts in (frozenset[int](), cuts):
        phone = await RawPhone.enrol(still_client, world.tokens["ann"])
        batch, names = mutations(phone, world, steps)
        became = await outcomes_of(phone, cut(batch, parts))
        ends.append((became, await stored(store, names)))
    assert ends[0] == ends[1]
    await (await Witness.of(store)).agrees()


@MODEST
@given(steps=STEPS, more=STEPS, chosen=st.lists(st.integers(0, 13), max_size=14))
async def test_sending_any_prefix_again_changes_nothing(
    client: httpx.AsyncClient,
    store: Store,
    world: World,
    *,
    steps: list[Step],
    more: list[Step],
    chosen: list[int],
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    batch, _ = mutations(phone, world, steps)
    first = await outcomes_of(phone, [batch])
    before = await Witness.of(store)
    prefix = [batch[each % len(batch)] for each in chosen]
    replayed = await outcomes_of(phone, [prefix])
    assert {n: first[n] for n in replayed} == replayed
    await before.nothing_new()
    following, _ = mutations(phone, world, more)
    mixed = [*prefix, *following]
    again = await outcomes_of(phone, [mixed])
    assert {n: first[n] for n in replayed} == {n: again[n] for n in replayed}
    await before.unchanged()


async def answers_for(client: httpx.AsyncClient, token: str, world: World) -> set[str]:
    """Every grid code of which a fresh phone gets anything, by any of the ways there are."""
    phone = await RawPhone.enrol(client, token)
    headers = bearer(phone.token)
    codes = {grid: code for code, grid in world.grids.items()}
    homes = {home: code for code, home in world.households.items()}
    reply = await phone.sync()
    given_out = {
        codes[page["id"].removeprefix("grid:")]
        for page in reply["buckets"]
        if page["id"].startswith("grid:")
    }
    assert {homes[each] for each in held(reply) if each in homes} == given_out
    for code, grid in world.grids.items():
        manifest = await client.get(f"/v1/sync/manifests/grid:{grid}", headers=headers)
        assert manifest.status_code == (200 if code in given_out else 404)
    asked = {"records": [*homes, *codes, *world.dwellings.values()]}
    answer = await client.post("/v1/sync/records", json=asked, headers=headers)
    for each in answer.json()["records"]:
        assert codes[each["state"].get("grid", each["record"])] in given_out
    assert len(answer.json()["records"]) == 3 * len(given_out)
    return given_out


def end_assignments(db: Connection, account: str, now: int) -> None:
    """End every assignment of an account."""
    db.execute(
        update(Assignment).where(Assignment.account_id == account).values(valid_to_ms=now - 1)
    )


COVERS = {
    "C": set(GRIDS),
    "S": set(GRIDS),
    "N1": {"G1", "G2"},
    "N2": {"G3", "G4"},
    **{each: {each} for each in GRIDS},
}


@MODEST
@given(
    assigned=st.lists(
        st.tuples(st.sampled_from(sorted(COVERS)), st.sampled_from(["now", "over", "later"])),
        max_size=5,
    )
)
async def test_nothing_outside_the_assignments_of_the_moment_is_ever_given_out(
    client: httpx.AsyncClient,
    store: Store,
    world: World,
    *,
    assigned: list[tuple[str, str]],
) -> None:
    now = now_ms()
    since = {"now": now - DAY_MS, "later": now + DAY_MS}

    def build(db: Connection) -> str:
        login = f"worker-{new_id()}"
        account = create_account(
            db, login=login, role=Role.WORKER, area_code="G4", now_ms=now - 2 * DAY_MS
        )
        for code, _ in filter(lambda each: each[1] == "over", assigned):
            assign(db, account=account, area=world.areas[code], now_ms=now - DAY_MS)
        end_assignments(db, account, now)
        for code, when in assigned:
            if when != "over":
                assign(db, account=account, area=world.areas[code], now_ms=since[when])
        return create_token(db, account=account, now_ms=now, expires_ms=None)

    token = await store.write(build)
    allowed: set[str] = set()
    for code, when in assigned:
        allowed |= COVERS[code] if when == "now" else set()
    assert await answers_for(client, token, world) == allowed
