"""Single mutations that are wrong in every way we could think of.

Each gets its outcome, none is an HTTP error, the queue goes on, and nothing stored changes.
"""

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


def wrong_shapes(world: World) -> list[dict[str, Any]]:
    """Changes to a good edit of a household that make it no mutation at all."""
    home = world.households["G1"]
    ids = ["", "x", home.upper(), f"{{{home}}}", home.replace("-", ""), "x" * 255, "網格",
           f" {home}", f"{home}\n", 7, None, True, [], {}]  # fmt: skip
    clocks = [
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
        *({"record": each} for each in ids),
        *({"actor": each} for each in ids if each is not None),
        *({"kind": each} for each in ("", "Household", "x" * 41, "a b", None, 7, [])),
        *({"base": each} for each in (-1, "1", 1.0, True, None, [])),
        *({"clock": each} for each in clocks),
        *({"set": each} for each in ([], "door", 7, {"door": 1.0}, {"door": [[2.5]]})),
        *({"add": each} for each in ([], {"languages": "yue"}, {"languages": [7]})),
        *({"remove": each} for each in (True, {"languages": None}, {"languages": [None]})),
        {"add": {"languages": [str(each) for each in range(101)]}},
        *({"position": each} for each in ([], "here", {}, {"lon_e7": 0, "lat_e7": 0})),
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
    ints = (LIMIT, -LIMIT, 1_800_000_001, -1_800_000_001, 1.0, "1", True, None)
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


def wrong_contents(world: World) -> list[tuple[str, dict[str, Any]]]:
    """Well-formed mutations whose content is refused for good, with their codes."""
    home, other = world.households["G1"], world.households["G2"]
    new = {"base": 0, "set": {"dwelling": world.dwellings["G1"]}}
    report = {"kind": "report", "base": 0}
    values = [
        ("door", each) for each in ("", "x" * 41, 7, True, [], {}, ["a"], {"a": 1}, "a\u0007b")
    ]
    values += [("size_band", each) for each in ("2-3", "", 2, ["1"], {"1": 1})]
    values += [("last_verified_ms", each) for each in (-1, "1", True, LIMIT, -LIMIT, [])]
    values += [("dwelling", each) for each in ("x", 7, None, [], world.dwellings["G1"].upper())]
    values += [("status", each) for each in ("dead", 1, [], {})]
    return [
        *(("bad-value", {"set": {name: value}}) for name, value in values),
        *(
            ("unknown-field", {"set": {each: TELLTALE}})
            for each in ("nationality", "", "x" * 300, "languages", "rev", "a b", "姓名", "/~")
        ),
        *(("unknown-field", {"add": {each: ["a"]}}) for each in ("door", "nobody", "姓名")),
        *(("bad-value", {"add": {"languages": [each]}}) for each in ("", "x" * 21, "\u0001")),
        ("bad-value", {"add": {"languages": ["en"]}, "remove": {"languages": ["en"]}}),
        ("immutable-field", {"set": {"dwelling": world.dwellings["G2"]}}),
        ("immutable-field", {"set": {"grid": world.grids["G2"]}}),
        ("bad-value", {"set": {"grid": "G2"}}),
        ("unknown-act", {"act": "finish", "set": {}}),
        ("unknown-act", {"act": "bulldoze", "set": {}}),
        ("not-allowed", {"act": "resolve", "args": {"field": "door", "value": "1"}, "set": {}}),
        ("kind-mismatch", {"kind": "resident", "set": {"phone": "1"}}),
        ("unknown-kind", {"kind": "unicorn"}),
        ("unknown-kind", {"kind": "media"}),
        *(
            ("read-only-kind", {"kind": each, "record": new_id(), "base": 0, "set": {}})
            for each in ("grid", "class", "dwelling", "incident", "claim")
        ),
        ("not-allowed", {"kind": "task", "record": new_id(), "base": 0, "set": {}}),
        ("not-allowed", {"kind": "incident", "act": "register", "set": {}}),
        ("not-allowed", {"kind": "task", "act": "confirm", "set": {}}),
        ("unknown-field", {"kind": "task", "act": "finish", "args": {"r": 1}, "set": {}}),
        ("unknown-field", {"kind": "task", "act": "finish", "args": {TELLTALE: 1}, "set": {}}),
        *(
            ("bad-value", {"kind": "task", "act": "finish", "args": each, "set": {}})
            for each in (
                {"result": 7}, {"result": ""}, {"result": "x" * 2001}, {"media": "sha256:x"},
                {"media": ["x"]}, {"media": [7]}, {"media": {}}, {"media": [[]]},
            )
        ),  # fmt: skip
        ("missing-field", {"record": new_id(), "base": 0, "set": {"door": TELLTALE}}),
        ("missing-field", {"record": new_id(), **report, "set": {"text": TELLTALE}}),
        ("bad-value", {"record": new_id(), **report, "set": {"class": None}}),
        ("bad-value", {"record": new_id(), **report, "set": {"class": ""}}),
        ("unknown-field", {"record": new_id(), **report, "set": {"class": "1", "lon_e7": 1}}),
        ("unknown-field", {"record": new_id(), **report, "set": {"class": "1", "reporter": other}}),
        ("bad-value", {"record": new_id(), **report, "set": {"class": "1", "incident": "x"}}),
        ("bad-value", {"record": new_id(), **report, "set": {"class": "1"}, "add": {"media": ["a"]}}),
        ("immutable-field", {"record": new_id(), **new, "set": {**new["set"], "grid": world.grids["G1"]}}),
        ("missing-field", {"kind": "note", "record": new_id(), "base": 0, "set": {"text": TELLTALE}}),
        ("kind-mismatch", {"kind": "visit", "base": 0, "record": home,
                           "set": {"household": home, "outcome": "done"}}),
    ]  # fmt: skip


async def test_content_that_can_never_apply_is_invalid_with_its_code(
    client: httpx.AsyncClient, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    home = world.households["G1"]
    cases = wrong_contents(world)
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
