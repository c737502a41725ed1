"""Registers: columns by purpose, inside the scope, marked, noted, gone when they expire."""

import csv
import io
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook
from sqlalchemy import Connection, insert, select, update

from geo.layers import LAYERS
from server.clock import new_id
from server.db.holdings import column_holdings
from server.db.reach import everywhere
from server.db.store import Store
from server.db.tables import HouseholdRegister, Resident
from server.registers import queries
from server.registers.rules import ALLOWED, ROWS_MAX, safe
from sync.fields import DataClass
from sync.holding import holding_of_field
from tests.server.desk import Desk, pointers, told
from tests.world import World

PATH = "/v1/registers"
EVIL = "=HYPERLINK(1)"


@given(st.text(max_size=20))
def test_no_cell_of_a_register_is_a_formula(text: str) -> None:
    shown = safe(text)
    assert shown[:1] not in set("=+-@\t\r\n")
    assert shown.removeprefix("'") == text.removeprefix("'")


def test_a_purpose_has_only_columns_of_the_registry_and_none_that_is_sensitive() -> None:
    beside = {"dwelling": "dwelling", "address": "dwelling", "door": "household"}
    for allowed in ALLOWED.values():
        for name in allowed.columns:
            kind = beside.get(name, allowed.kind)
            field = "code" if name == "dwelling" else name
            assert holding_of_field(kind, field).data_class is not DataClass.P2


def test_layers_are_no_second_way_out() -> None:
    """What a layer shows of a table is P0 by what the table itself says of the column."""
    tables = {"grids": "grid", "incidents": "incident", "tasks": "task"}
    columns = {(each.table, each.column): each.holding for each in column_holdings()}
    for layer in LAYERS.values():
        for field in layer.fields if layer.id in tables else ():
            held = columns[tables[layer.id], field.source]
            assert held.data_class is DataClass.P0, (layer.id, field.name)
    assert set(LAYERS) - set(tables) == {"household-counts"}


@pytest.mark.anyio
@pytest.mark.db
async def test_a_register_from_its_making_to_its_end(
    client: httpx.AsyncClient, world: World, store: Store
) -> None:
    desk = Desk(client, world)
    home = world.households["G3"]
    far = world.households["G1"]
    name = {"name": EVIL, "birth_year": 1950}
    person = (await desk.done(f"/v1/households/{home}/residents", "cat", name))["id"]
    wanted: dict[str, Any] = {
        "purpose": "registry",
        "columns": ["address", "name", "birth_year"],
    }
    for login in ("cat", "analyst", "admin"):
        assert told(await desk.post(PATH, login, wanted)) == (403, "forbidden")
    await check_refused(desk, wanted)
    outside = await desk.post(PATH, "dispatcher-n2", wanted | {"area": "G1"})
    assert told(outside) == (400, "invalid-parameter")
    made = await desk.done(PATH, "dispatcher-n2", wanted | {"area": "N2"})
    visits = {"purpose": "visits", "columns": ["dwelling", "contact_phone"]}
    other = await desk.done(PATH, "dispatcher", visits)
    assert [each["id"] for each in await desk.items(PATH, "dispatcher-n2", limit=1)] == [
        made["id"]
    ]
    address = f"{PATH}/{made['id']}"
    assert (await desk.get(address, "dispatcher-n2")).json() == made
    assert told(await desk.get(f"{address}/file", "dispatcher")) == (404, "not-found")

    answer = await desk.get(f"{address}/file", "dispatcher-n2")
    assert answer.headers["cache-control"] == "no-store"
    check_csv(answer)
    sheet = (await desk.get(f"{address}/file", "dispatcher-n2", format="xlsx")).content
    page = load_workbook(io.BytesIO(sheet)).active
    assert page is not None
    assert page.oddFooter.center.text.startswith("dispatcher-n2 | ")
    assert page.print_title_rows == "$1:$2"
    assert {cell.data_type for row in page.iter_rows() for cell in row} <= {"s", "n"}
    plain = await desk.get(f"{PATH}/{other['id']}/file", "dispatcher")
    assert "000-0000" in plain.text

    for record, count in ((person, 2), (home, 3), (far, 1)):
        entries = await desk.items("/v1/access-log", "admin", record=record)
        kept = [each for each in entries if each["kind"] == "register"]
        assert len(kept) == count
        assert {each["purpose"] for each in kept} <= {"registry", "visits"}

    await store.write(lambda db: crowded(db, person))
    assert pointers(await desk.post(PATH, "dispatcher-n2", wanted)) == ["/area"]
    assert told(await desk.get(f"{address}/file", "dispatcher-n2")) == (403, "forbidden")
    gone = await client.delete(f"{PATH}/{other['id']}", headers=headers(world, "dispatcher-n2"))
    assert told(gone) == (404, "not-found")
    gone = await client.delete(f"{PATH}/{other['id']}", headers=headers(world, "dispatcher"))
    assert gone.status_code == 204
    await store.write(expired)
    assert told(await desk.get(f"{address}/file", "dispatcher-n2")) == (404, "not-found")
    for dry_run in (True, False):
        done = await store.write(
            lambda db, dry=dry_run: queries.drop_expired(db, now_ms=10, dry_run=dry)  # type: ignore[misc]
        )
        assert done == 1
    assert await store.write(lambda db: queries.drop_expired(db, now_ms=10, dry_run=True)) == 0


async def check_refused(desk: Desk, wanted: dict[str, Any]) -> None:
    for change, pointer in (
        ({"columns": ["name", "phone"]}, "/columns/1"),
        ({"columns": ["name", "name"]}, "/columns"),
        ({"purpose": "sync"}, "/purpose"),
        ({"days": 31}, "/days"),
    ):
        assert pointers(await desk.post(PATH, "dispatcher-n2", wanted | change)) == [pointer]


def check_csv(answer: httpx.Response) -> None:
    lines = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    mark = lines[0][0]
    assert mark.startswith("dispatcher-n2 | ")
    assert "registry" in mark
    assert lines[1] == ["address", "name", "birth_year", "register"]
    assert ["Block G3", f"'{EVIL}", "1950", mark] in lines
    assert all(line[-1] == mark for line in lines[2:])
    assert "G1" not in answer.text


def headers(world: World, login: str) -> dict[str, str]:
    return {"authorization": f"Bearer {world.tokens[login]}"}


def crowded(db: Connection, person: str) -> None:
    """So many residents beside one that a register has no place for them."""
    everywhere(db)
    table = Resident.__table__
    known = db.execute(select(table).where(table.c.id == person)).one()
    row = {name: value for name, value in known._mapping.items() if name != "fid"}
    db.execute(insert(table), [row | {"id": new_id()} for _ in range(ROWS_MAX)])


def expired(db: Connection) -> None:
    db.execute(update(HouseholdRegister.__table__).values(made_ms=1, expires_ms=10))
