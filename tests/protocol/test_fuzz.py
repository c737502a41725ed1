"""Mutations put together at random: whatever comes in, the queue goes on and all agrees."""

from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.db.store import Store
from sync.kinds import KINDS
from sync.lifecycle import acts_of
from sync.outcome import Code, Outcome
from tests.protocol.test_poison import give_task
from tests.protocol.witness import Witness
from tests.server.phones import RawPhone, clock
from tests.world import World, centre_e7

pytestmark = [pytest.mark.anyio, pytest.mark.db]
MODEST = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
LIKELY = ["1", "active", "done", "2-3", "3-4", "0102", "sha256:" + "0" * 64]
NAUGHTY = [
    "'; DROP TABLE record;--",
    "\u202e",
    "\U0001f600" * 20,
    "\ufffe",
    "a\tb\nc",
    "\u007f",
]
TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30
) | st.sampled_from([*LIKELY, *NAUGHTY])
LEAF = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.sampled_from([0, 1, 2, -1, 2**53, 1_700_000_000_000, 1.0, -0.5])
    | TEXT
)
VALUE = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
FIELDS = sorted({name for kind in KINDS.values() for name in (*kind.fields, *kind.sets)})
ACTS = sorted({name for kind in KINDS for name in acts_of(kind)})
STANDINS = [f"@{at}" for at in range(22)]
"""Stand for ids of the world, which differ from run to run."""
ARGS = ["result", "media", "text", "task", "assignee", "field", "value", "due_at_ms", "case_no"]


def objects(names: list[str]) -> st.SearchStrategy[Any]:
    """Objects with mostly known member names, mostly with something like a value."""
    return st.dictionaries(
        st.sampled_from(names) | TEXT, VALUE | st.sampled_from(STANDINS), max_size=4
    )


def positions() -> st.SearchStrategy[Any]:
    """Places on earth and off it, rightly labelled and wrongly."""
    lon_e7, lat_e7 = centre_e7(1)
    return st.fixed_dictionaries(
        {
            "lon_e7": st.just(lon_e7) | st.integers(-(2**53), 2**53) | LEAF,
            "lat_e7": st.just(lat_e7) | st.integers(-900_000_000, 900_000_000) | LEAF,
            "datum": st.sampled_from(["wgs84", "gcj02", "bd09", "cgcs2000"]) | LEAF,
            "accuracy_cm": st.integers(0, 10**8) | LEAF,
        }
    )


def changes() -> st.SearchStrategy[dict[str, Any]]:
    """Members of a mutation, everything but its `n`."""
    elements = st.dictionaries(
        st.sampled_from(["languages", "media", "door"]) | TEXT,
        st.lists(TEXT, max_size=3) | LEAF,
        max_size=2,
    )
    return st.fixed_dictionaries(
        {
            "record": st.sampled_from(STANDINS) | st.uuids().map(str) | LEAF,
            "kind": st.sampled_from(sorted(KINDS)) | TEXT,
            "base": st.integers(0, 3) | LEAF,
            "clock": st.just(clock()) | st.builds(clock, st.integers(-(2**53), 2**53)) | LEAF,
        },
        optional={
            "set": objects(FIELDS) | LEAF,
            "add": elements | LEAF,
            "remove": elements,
            "act": st.sampled_from(ACTS) | TEXT | st.none(),
            "args": objects(ARGS),
            "position": positions() | LEAF,
            "actor": st.sampled_from(STANDINS) | LEAF,
            "group": LEAF,
        },
    )


def filled(value: Any, ids: list[str]) -> Any:
    """The value with ids in the place of what stands for them."""
    if isinstance(value, dict):
        return {name: filled(each, ids) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each, ids) for each in value]
    if isinstance(value, str) and value in STANDINS:
        return ids[STANDINS.index(value) % len(ids)]
    return value


@MODEST
@given(drawn=st.lists(changes(), min_size=1, max_size=30))
async def test_random_mutations_get_an_outcome_each(
    client: httpx.AsyncClient, store: Store, world: World, *, drawn: list[dict[str, Any]]
) -> None:
    ids = [
        *world.households.values(),
        *world.dwellings.values(),
        *world.grids.values(),
        *world.accounts.values(),
        await give_task(store, world, "ann"),
    ]
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    before = await Witness.of(store)
    batch = [filled(each, ids) | {"n": at} for at, each in enumerate(drawn, start=1)]
    phone.last_n = len(batch)
    answer = await phone.post(phone.body(batch))
    assert answer.status_code == 200, answer.text
    reply = answer.json()
    assert reply["settled_through"] == len(batch)
    for each in reply["outcomes"]:
        assert each["outcome"] in set(Outcome) - {Outcome.RETRY}
        assert each.get("code") in {None, *Code}
        assert each.get("code") != Code.SERVER_FAULT
    now = await before.again()
    outside = {world.households[code] for code in ("G2", "G3", "G4")}
    locked = outside | set(world.dwellings.values()) | set(world.grids.values())
    for record in locked:
        assert now.records[record] == before.records[record]
    again = (await phone.post(phone.body(batch))).json()
    assert all(each.get("replayed") for each in again["outcomes"])
    await now.nothing_new()
