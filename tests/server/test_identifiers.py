"""Identity numbers over HTTP: off by default, sealed, in scope, written down."""

import logging
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from server.clock import now_ms
from server.db.store import Store
from server.db.tables import ResidentIdentifier
from server.identifiers.rules import check_character, normalised
from tests.server.canaries import everything
from tests.server.desk import Desk, pointers, told
from tests.server.numbers import (
    PURPOSE,
    Numbers,
    found,
    id_card,
    kept,
    number_body,
    path_of,
    put,
    remove,
    residents,
    reveal,
    revealed,
    written_down,
)
from tests.server.phones import RawPhone
from tests.walls import beyond
from tests.world import DAY_MS, World

pytestmark = [pytest.mark.anyio, pytest.mark.db]


@pytest.fixture
def numbers(tmp_path: Path) -> Numbers:
    return Numbers(tmp_path)


async def test_without_a_purpose_none_is_kept(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    desk = Desk(client, world)
    (ann,) = await residents(store, world, "G1")
    search = {"kind": "id_card", "value": id_card(1), "purpose": PURPOSE}
    for answer in (
        await put(desk, ann, id_card(1)),
        await reveal(desk, ann),
        await remove(desk, ann),
        await desk.get(f"/v1/residents/{ann}/identifiers", "dispatcher"),
        await desk.post("/v1/identifiers/search", "dispatcher", search),
    ):
        assert told(answer) == (501, "not-implemented-here")


async def test_a_number_is_kept_found_shown_and_removed(
    store: Store, world: World, numbers: Numbers
) -> None:
    ann, ben = await residents(store, world, "G1", 2)
    number = id_card(7)
    async with numbers.desk(store, world) as desk:
        await kept(desk, ann, f" {number[:6]}-{number[6:14]} {number[14:].lower()}")
        await kept(desk, ben, "E1234567", kind="passport")
        listed = await desk.get(f"/v1/residents/{ann}/identifiers", "dispatcher")
        (item,) = listed.json()["items"]
        assert (item["kind"], item["purpose"]) == ("id_card", PURPOSE)
        assert number not in listed.text
        assert await revealed(desk, ann) == number
        assert await found(desk, number) == [ann]
        assert await found(desk, id_card(8)) == []
        assert told(await reveal(desk, ben)) == (404, "not-found")
        assert (await remove(desk, ann)).status_code == 204
        assert told(await remove(desk, ann)) == (404, "not-found")
        assert told(await reveal(desk, ann)) == (404, "not-found")
        assert await found(desk, number) == []
    assert await store.read(written_down) == [
        ("set", ann),
        ("set", ben),
        ("reveal", ann),
        ("search", None),
        ("search", None),
        ("remove", ann),
        ("search", None),
    ]


async def test_a_number_is_in_no_table_body_feed_layer_history_or_log(
    store: Store, world: World, numbers: Numbers, caplog: pytest.LogCaptureFixture
) -> None:
    (ann,) = await residents(store, world, "G1")
    caplog.set_level(logging.DEBUG)
    number = id_card(3)
    async with numbers.desk(store, world) as desk:
        await kept(desk, ann, number)
        phone = await RawPhone.enrol(desk.client, world.tokens["ann"])
        seen = [str(await phone.sync())]
        for path in (
            f"/v1/households/{world.households['G1']}",
            f"/v1/residents/{ann}",
            f"/v1/records/{ann}/history",
        ):
            answer = await desk.get(path, "dispatcher")
            assert answer.status_code == 200
            seen.append(answer.text)
        wrong = await put(desk, ann, number[:17] + ("1" if number[17] != "1" else "2"))
        seen.append(wrong.text)
        seen += [await store.read(everything), caplog.text]
    assert [number[:17] in each for each in seen] == [False] * len(seen)
    assert "nobody" in seen[0].lower()


async def test_whoever_may_not_see_the_resident_learns_nothing(
    store: Store, world: World, numbers: Numbers
) -> None:
    (ann,) = await residents(store, world, "G1")
    async with numbers.desk(store, world) as desk:
        await kept(desk, ann, id_card(1))
        for login in ("ann", "analyst", "admin"):
            assert told(await reveal(desk, ann, login=login)) == (403, "forbidden")
            assert told(await put(desk, ann, id_card(2), login=login)) == (403, "forbidden")
        other = "dispatcher-n2"
        assert told(await reveal(desk, ann, login=other)) == (404, "not-found")
        assert told(await remove(desk, ann, login=other)) == (404, "not-found")
        assert told(await put(desk, ann, id_card(2), login=other)) == (404, "not-found")
        assert await found(desk, id_card(1), login=other) == []
        assert await found(desk, id_card(1)) == [ann]


async def test_it_is_shown_for_its_own_purpose_only(
    store: Store, world: World, numbers: Numbers
) -> None:
    (ann,) = await residents(store, world, "G1")
    async with numbers.desk(store, world) as desk:
        await kept(desk, ann, id_card(1))
        assert told(await reveal(desk, ann, purpose="school")) == (403, "forbidden")
        assert pointers(await put(desk, ann, id_card(1), purpose="curiosity")) == ["/purpose"]
        search = {"kind": "id_card", "value": id_card(1), "purpose": "curiosity"}
        refused = await desk.post("/v1/identifiers/search", "dispatcher", search)
        assert pointers(refused) == ["/purpose"]
    assert [act for act, _ in await store.read(written_down)] == ["set"]


async def test_nobody_looks_at_more_than_a_few_in_a_day(
    store: Store, world: World, numbers: Numbers
) -> None:
    (ann,) = await residents(store, world, "G1")
    async with numbers.desk(store, world, reveals=3) as desk:
        await kept(desk, ann, id_card(1))
        await revealed(desk, ann)
        await found(desk, id_card(1))
        await revealed(desk, ann)
        refused = await reveal(desk, ann)
        assert told(refused) == (429, "quota-exceeded")
        assert int(refused.headers["retry-after"]) >= 60
        await kept(desk, ann, id_card(1))
    acts = [act for act, _ in await store.read(written_down)]
    assert acts == ["set", "reveal", "search", "reveal", "set"]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"value": "11010519491231002"}, "/value"),
    ({"value": "99999919000101001A"}, "/value"),
    ({"value": "1234"}, "/value"),
    ({"value": "x" * 65}, "/value"),
    ({"value": 7_777_777}, "/value"),
    ({"purpose": "Two Words"}, "/purpose"),
    ({"expires_ms": 1}, "/expires_ms"),
    ({"expires_ms": now_ms() + 400 * DAY_MS}, "/expires_ms"),
    ({"name": "x"}, "/name"),
]


async def test_what_cannot_be_kept_is_refused_where_it_is_wrong(
    store: Store, world: World, numbers: Numbers
) -> None:
    (ann,) = await residents(store, world, "G1")
    headers = {"authorization": f"Bearer {world.tokens['dispatcher']}"}
    async with numbers.desk(store, world) as desk:
        for change, where in WRONG:
            body = number_body(id_card(1)) | change
            answer = await desk.client.put(path_of(ann), json=body, headers=headers)
            assert pointers(answer) == [where]
            assert str(change.get("value", id_card(1))) not in answer.text
        other = path_of(ann, "library_card")
        answer = await desk.client.put(other, json=number_body("E1234567"), headers=headers)
        assert told(answer) == (400, "invalid-parameter")
    assert await store.read(written_down) == []
    assert numbers.data_keys() == set()


async def test_what_has_expired_is_not_shown_any_more(
    store: Store, world: World, numbers: Numbers
) -> None:
    (ann,) = await residents(store, world, "G1")
    table = ResidentIdentifier.__table__
    async with numbers.desk(store, world) as desk:
        await kept(desk, ann, id_card(1))
        past = update(table).values(set_ms=1, expires_ms=now_ms())
        await store.write(beyond(lambda db: db.execute(past)))
        assert told(await reveal(desk, ann)) == (404, "not-found")
        assert await found(desk, id_card(1)) == []
        listed = await desk.get(f"/v1/residents/{ann}/identifiers", "dispatcher")
        assert listed.json()["items"] == []


async def test_a_repeat_changes_purpose_and_expiry_and_keeps_the_key(
    store: Store, world: World, numbers: Numbers
) -> None:
    (ann,) = await residents(store, world, "G1")
    async with numbers.desk(store, world) as desk:
        await kept(desk, ann, id_card(1))
        before = numbers.data_keys()
        await kept(desk, ann, id_card(1), purpose="school")
        assert numbers.data_keys() == before
        answer = await reveal(desk, ann, purpose="school")
        assert answer.json()["value"] == id_card(1)


digits17 = st.text(st.sampled_from("0123456789"), min_size=17, max_size=17)
between = st.sampled_from(["", " ", "-", "\u3000", " - ", "\u00b7"])


@given(digits17, st.lists(between, min_size=18, max_size=18), st.sampled_from([0, 0xFEE0]))
def test_all_spellings_of_a_number_are_one(digits: str, gaps: list[str], wide: int) -> None:
    number = digits + check_character(digits)
    spelled = "".join(gap + each for gap, each in zip(gaps, number.lower(), strict=True))
    spelled = "".join(chr(ord(each) + wide) if "!" <= each <= "~" else each for each in spelled)
    assert normalised("id_card", spelled) == number


@given(digits17, st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_always_noticed(digits: str, at: int, by: int) -> None:
    number = digits + check_character(digits)
    wrong = str((int(number[at]) + by) % 10)
    with pytest.raises(ValueError, match="check character") as refused:
        normalised("id_card", number[:at] + wrong + number[at + 1 :])
    assert number[:6] not in str(refused.value)


def test_the_check_character_of_the_standard_example() -> None:
    assert check_character("11010519491231002") == "X"
    assert normalised("passport", "e 1234-567") == "E1234567"


@pytest.mark.parametrize("text", ["", "1234", "x" * 21, "E12345\u4e2d", "E1234;567"])
def test_what_is_no_passport_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="5 to 20 letters and digits"):
        normalised("passport", text)
