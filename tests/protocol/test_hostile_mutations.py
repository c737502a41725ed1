"""Single mutations that are wrong in every way we could think of.

Each gets its outcome, none is an HTTP error, the queue goes on, and nothing stored changes.
"""

from collections.abc import Iterable
from typing import Any

import httpx
import pytest

from server.clock import new_id
from tests.protocol.witness import Witness
from tests.server.phones import RawPhone, clock, held
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]
TELLTALE = "13800005678"
LIMIT = 2**53


def place(**members: Any) -> dict[str, Any]:
    """A position that is fine but for `members`."""
    lon_e7, lat_e7 = 1_215_005_000, 250_305_000
    return {"lon_e7": lon_e7, "lat_e7": lat_e7, "datum": "wgs84", "accuracy_cm": 500} | members


def with_each(name: str, values: Iterable[Any]) -> list[dict[str, Any]]:
    """One change to a mutation for every value of a member."""
    return [{name: each} for each in values]


def wrong_shapes(world: World) -> list[dict[str, Any]]:
    """Changes to a good edit of a household that make it no mutation at all."""
    home = world.households["G1"]
    words = ["", "x", home.upper(), f"{{{home}}}", home.replace("-", ""), "x" * 255, "網格"]
    ids: list[Any] = [*words, f" {home}", f"{home}\n", 7, None, True, [], {}]
    clocks: list[Any] = [
        {},
        clock() | {"wall": "2026-11-23T08:00:00"},
        clock() | {"wall": "yesterday"},
        clock() | {"wall": "0000-01-01T00:00:00Z"},
        clock() | {"wall": 7},
        clock() | {"uptime_ms": 1.5},
        clock() | {"uptime_ms": "5"},
        clock() | {"uptime_ms": True},
        clock() | {"boot": 1},
        clock() | {"boot": "b" * 65},
        clock() | {"surplus": TELLTALE},
        None,
        "now",
    ]
    return [
        *with_each("record", [*ids]),
        *with_each("actor", [*(each for each in ids if each is not None)]),
        *with_each("kind", ["", "Household", "x" * 41, "a b", None, 7, []]),
        *with_each("base", [-1, "1", 1.0, True, None, []]),
        *with_each("clock", [*clocks]),
        *with_each("set", [[], "door", 7, {"door": 1.0}, {"door": [[2.5]]}]),
        *with_each("add", [[], {"languages": "yue"}, {"languages": [7]}]),
        *with_each("remove", [True, {"languages": None}, {"languages": [None]}]),
        *with_each("position", [[], "here", {}, {"lon_e7": 0, "lat_e7": 0}]),
        {"add": {"languages": [str(each) for each in range(101)]}},
        {"set": {"door": "d"}, "act": "finish"},
        {"args": {"result": TELLTALE}},
        {"set": {f"field{each}": 1 for each in range(101)}},
        {"group": 7},
        {"group": "g" * 65},
        {"act": "Finish!"},
        {"act": 7},
        {"surplus": TELLTALE},
        {TELLTALE: TELLTALE},
        {"set": {"door": "x" * 66_000}},
        {"n_": 1},
    ]


async def test_a_mutation_of_no_known_shape_is_invalid_and_the_queue_goes_on(
    client: httpx.AsyncClient, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    home = world.households["G1"]
    wrong = [
        phone.change(home, "household", 1, set={"door": TELLTALE}) | each
        for each in wrong_shapes(world)
    ]
    assert len(wrong) < 200
    good = phone.change(home, "household", 1, set={"door": "7"})
    answer = await phone.post(phone.body([*wrong, good]))
    assert answer.status_code == 200, answer.text
    reply = answer.json()
    became = {each["n"]: (each["outcome"], each.get("code")) for each in reply["outcomes"]}
    for each in wrong:
        assert became.pop(each["n"]) == ("invalid", "malformed"), each
    assert became == {}
    assert TELLTALE not in answer.text
    assert held(reply)[home]["state"]["door"] == "7"
    await witness.unchanged(besides=frozenset({home}))


def wrong_places() -> list[dict[str, Any]]:
    """Positions that are none."""
    ints: tuple[Any, ...] = (LIMIT, -LIMIT, 1_800_000_001, -1_800_000_001, 1.0, "1", True, None)
    return [
        *(place(lon_e7=each) for each in ints),
        *(place(lat_e7=each) for each in (*ints, 900_000_001, -900_000_001)),
        *(place(datum=each) for each in ("WGS84", "wgs-84", "", "beijing54", 1, None)),
        *(place(accuracy_cm=each) for each in (-1, LIMIT, 1.0, "5", False, None)),
        *(place(fixed_at=each) for each in ("", "noon", 7, "2026-11-23T08:00:00")),
        place(surplus=TELLTALE),
    ]


async def test_a_report_from_no_possible_place_is_invalid(
    client: httpx.AsyncClient, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    wrong = [
        phone.change(
            new_id(), "report", 0, set={"class": "0102", "text": TELLTALE}, position=each
        )
        for each in wrong_places()
    ]
    answer = await phone.post(phone.body(wrong))
    assert answer.status_code == 200, answer.text
    found = {each["n"]: each["outcome"] for each in answer.json()["outcomes"]}
    assert found == {each["n"]: "invalid" for each in wrong}
    assert TELLTALE not in answer.text
    now = await witness.again()
    assert now.records == witness.records
    await witness.agrees()


Case = tuple[str, dict[str, Any]]
"""A code, and the change to a good edit of a household that gets it."""


def coded(code: str, *changes: dict[str, Any]) -> list[Case]:
    """Changes that all get one code."""
    return [(code, each) for each in changes]


def wrong_values(world: World) -> list[Case]:
    """Fields with values that they cannot hold, and names that are no fields."""
    dwelling = world.dwellings["G1"].upper()
    texts: tuple[Any, ...] = ("", "x" * 41, 7, True, [], {}, ["a"], {"a": 1}, "a\u0007b")
    values = [
        *with_each("door", [*texts]),
        *with_each("size_band", ["2-3", "", 2, ["1"], {"1": 1}]),
        *with_each("dwelling", ["x", 7, None, [], dwelling]),
        *with_each("status", ["dead", 1, [], {}]),
        *with_each("grid", ["G2", 5, world.grids["G2"].upper()]),
    ]
    names = (
        "nationality",
        "",
        "x" * 300,
        "languages",
        "last_verified_ms",
        "rev",
        "a b",
        "姓名",
        "/~",
    )
    return [
        *coded("bad-value", *with_each("set", [*values])),
        *coded("unknown-field", *with_each("set", [*({each: TELLTALE} for each in names)])),
        *coded("unknown-field", *with_each("add", [{"door": ["a"]}, {"姓名": ["a"]}])),
        *coded(
            "bad-value",
            *with_each("add", [*({"languages": [each]} for each in ("", "x" * 21, "\u0001"))]),
            {"add": {"languages": ["en"]}, "remove": {"languages": ["en"]}},
        ),
        *coded(
            "immutable-field",
            {"set": {"dwelling": world.dwellings["G2"]}},
            {"set": {"grid": world.grids["G2"]}},
        ),
    ]


def wrong_acts() -> list[Case]:
    """Acts that phones, or the kind, do not know, or with wrong arguments."""
    finish: dict[str, Any] = {"kind": "task", "act": "finish", "set": {}}
    wrong: tuple[dict[str, Any], ...] = (
        {"result": 7},
        {"result": ""},
        {"result": "x" * 2001},
        {"media": "sha256:x"},
        {"media": ["x"]},
        {"media": [7]},
        {"media": {}},
        {"media": [[]]},
    )
    resolve = {"act": "resolve", "args": {"field": "door", "value": "1"}, "set": {}}
    return [
        *coded("unknown-act", *({"act": each, "set": {}} for each in ("finish", "bulldoze"))),
        *coded(
            "not-allowed",
            resolve,
            {"kind": "incident", "act": "register", "set": {}},
            {"kind": "task", "act": "confirm", "set": {}},
        ),
        *coded("unknown-field", *({**finish, "args": {each: 1}} for each in ("r", TELLTALE))),
        *coded("bad-value", *({**finish, "args": each} for each in wrong)),
    ]


def wrong_creations(world: World) -> list[Case]:
    """New records that phones may not make, or not like this."""
    home, dwelling = world.households["G1"], world.dwellings["G1"]

    def new(kind: str, **set_: Any) -> dict[str, Any]:
        return {"kind": kind, "record": new_id(), "base": 0, "set": set_}

    visit = new("visit", household=home, outcome="done")
    return [
        *coded("kind-mismatch", {"kind": "resident", "set": {"phone": "1"}}),
        *coded("kind-mismatch", visit | {"record": home}),
        *coded("unknown-kind", *(new(each) for each in ("unicorn", "media", "form"))),
        *coded(
            "read-only-kind",
            *(new(each) for each in ("grid", "class", "dwelling", "incident", "claim")),
        ),
        *coded("not-allowed", new("task")),
        *coded(
            "missing-field",
            new("household", door=TELLTALE),
            new("report", text=TELLTALE),
            new("note", text=TELLTALE),
        ),
        *coded(
            "bad-value",
            new("report", **{"class": None}),
            new("report", **{"class": ""}),
            new("report", **{"class": "1", "incident": "x"}),
            new("report", **{"class": "1"}) | {"add": {"media": ["a"]}},
        ),
        *coded(
            "unknown-field",
            new("report", **{"class": "1", "lon_e7": 1}),
            new("report", **{"class": "1", "reporter": home}),
        ),
        *coded("immutable-field", new("household", dwelling=dwelling, grid=world.grids["G1"])),
    ]


async def test_content_that_can_never_apply_is_invalid_with_its_code(
    client: httpx.AsyncClient, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    home = world.households["G1"]
    cases = [*wrong_values(world), *wrong_acts(), *wrong_creations(world)]
    wrong = [
        phone.change(home, "household", 1, set={"door": TELLTALE}) | each for _, each in cases
    ]
    answer = await phone.post(phone.body(wrong))
    assert answer.status_code == 200, answer.text
    reply = answer.json()
    found = {each["n"]: each for each in reply["outcomes"]}
    for (code, case), each in zip(cases, wrong, strict=True):
        became = found.get(each["n"], {})
        assert (became.get("outcome"), became.get("code")) == ("invalid", code), case
        assert len(became.get("detail", "")) <= 40, case
    assert TELLTALE not in answer.text
    assert "姓名" not in answer.text
    now = await witness.again()
    assert now.records == witness.records
    await witness.agrees()
