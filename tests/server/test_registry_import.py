"""A table over HTTP: inside one's area, good rows in, and nothing of the file kept."""

import io
from typing import Any

import httpx
import pytest
from openpyxl import Workbook

from server.db.store import Store
from server.imports import queries
from server.imports.households import household_id
from tests.server.desk import told
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]
PATH = "/v1/registry:import"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


async def test_a_dispatcher_imports_tables_inside_the_own_area(
    client: httpx.AsyncClient, world: World, store: Store
) -> None:
    codes = await store.read(lambda db: codes_of(db, world))

    async def send(
        content: bytes, login: str = "dispatcher", media: str = "text/csv", **query: Any
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {world.tokens[login]}", "content-type": media}
        asked = {"kind": "households"} | query
        return await client.post(PATH, content=content, params=asked, headers=headers)

    near, far = codes["G3"], codes["G1"]
    rows = f"住宅编码,门牌号,状态\n{near},9-1,active\n{far},9-1,active\n{near},9-2,gone\n"
    for login in ("ann", "analyst", "admin"):
        assert (await send(rows.encode(), login)).status_code == 403
    for dry_run, unchanged in ((True, 0), (False, 0), (False, 1)):
        answer = await send(rows.encode("gb18030"), "dispatcher-n2", dry_run=dry_run)
        assert answer.status_code == 200, answer.text
        report = answer.json()
        assert (report["rows"], report["created"] + report["unchanged"]) == (3, 1)
        assert report["unchanged"] == unchanged
        found = [(each["row"], each["column"], each["code"]) for each in report["refused"]]
        assert found == [(3, "dwelling", "unknown-reference"), (4, "status", "invalid-value")]
        assert far not in answer.text
        assert "gone" not in answer.text.replace("must be one of", "")
    home = household_id(world.dwellings["G3"], "9-1")
    history = await client.get(
        f"/v1/records/{home}/history",
        headers={"authorization": f"Bearer {world.tokens['dispatcher']}"},
    )
    assert history.status_code == 200, history.text
    book = Workbook()
    for row in (["dwelling", "door", "联系手机"], [far, "9-3", 13900000001]):
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    mapping = '{"columns": {"联系手机": "contact_phone"}}'
    report = (await send(file.getvalue(), media=XLSX, mapping=mapping)).json()
    assert (report["created"], report["ok"]) == (1, True)
    for content, media, query, expected in (
        (b"{}", "application/json", {}, (415, "unsupported-media")),
        (rows.encode(), "text/csv", {"kind": "areas"}, (400, "invalid-parameter")),
        (rows.encode(), "text/csv", {"mapping": "{"}, (400, "invalid-parameter")),
        ("住宅编码,门牌号,宗教\n".encode(), "text/csv", {}, (422, "invalid-body")),
        (b"PK\x03\x04", XLSX, {}, (422, "invalid-body")),
        (b"", "text/csv", {}, (422, "invalid-body")),
    ):
        answer = await send(content, media=media, **query)
        assert told(answer) == expected, answer.text
    many = "dwelling,door\n" + f"{near},1\n" * 10_001
    assert "more than 10000 rows" in (await send(many.encode())).text
    assert (await send(b"x" * (8 * 2**20 + 1))).status_code == 413


def codes_of(db: Any, world: World) -> dict[str, str]:
    states = queries.states_of(db, list(world.dwellings.values()))
    return {grid: states[each][1]["code"] for grid, each in world.dwellings.items()}
