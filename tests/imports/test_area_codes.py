"""A code is a thing said of an area: it may change, and what it was stays readable."""

import httpx
import pytest

from server.app import create_app
from server.clock import now_ms
from server.db.store import Store
from server.identity.principal import Role
from server.identity.queries import create_account, create_token
from server.settings import Settings
from sync.rfc3339 import format_wall
from tests.imports.conftest import AREAS, Import

pytestmark = [pytest.mark.anyio, pytest.mark.db]
HEADER = "code,name,level,parent,formerly\n"
MERGED = "990102,Sample District,district,9901,990101\n"


@pytest.mark.usefixtures("tree")
async def test_a_code_changes_and_everything_else_stays(run: Import, store: Store) -> None:
    begun = format_wall(now_ms())

    def token(db):
        account = create_account(
            db, login="reader", role=Role.ANALYST, area_code=None, now_ms=now_ms()
        )
        return create_token(db, account=account, now_ms=now_ms(), expires_ms=None)

    headers = {"authorization": f"Bearer {await store.write(token)}"}
    transport = httpx.ASGITransport(app=create_app(Settings(), store=store))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers=headers
    ) as client:

        async def areas(**query: str) -> list[dict[str, str]]:
            answer = await client.get("/v1/areas", params=query)
            assert answer.status_code == 200, answer.text
            return answer.json()["items"]

        (before,) = await areas(code="990101")
        report = await run("areas", HEADER + MERGED)
        assert (report.created, report.changed) == (0, 1)
        assert (await run("areas", HEADER + MERGED)).unchanged == 1
        (now,) = await areas(code="990102")
        assert now == before | {"code": "990102"}
        assert await areas(code="990101") == []
        assert await areas(code="990101", as_of=begun) == [before]
        assert await areas(code="990102", as_of=begun) == []
        assert len(await areas(parent=now["id"])) == 1
        named = HEADER + "990102,New District,district,9901,\n"
        assert (await run("areas", named)).changed == 1
        told = (await client.get(f"/v1/areas/{now['id']}/codes")).json()["codes"]
        assert [(each["code"], each["name"]) for each in told] == [
            ("990102", "New District"),
            ("990102", "Sample District"),
            ("990101", "Sample District"),
        ]
        assert told[0]["valid_from"] == told[1]["valid_to"]
        assert (told[0]["valid_to"], told[2]["valid_from"]) == (None, None)
        then = await client.get(f"/v1/areas/{now['id']}", params={"as_of": begun})
        assert then.json() == before
        bad = await client.get(f"/v1/areas/{now['id']}", params={"as_of": "then"})
        assert bad.json()["parameter"] == "as_of"
        nobody = await client.get("/v1/areas/00000000-0000-7000-8000-000000000000/codes")
        assert nobody.status_code == 404


BAD = (
    ("990103,Other,district,9901,990109\n", "formerly"),
    ("990101001,Sample District,district,9901,990101\n", "code"),
    ("990103,A,district,9901,990101\n990104,B,district,9901,990101\n", "formerly"),
    ("990103,Sample District,city,,990101\n", "level"),
)


@pytest.mark.usefixtures("tree")
async def test_a_code_that_cannot_change_refuses_the_file(run: Import) -> None:
    for rows, column in BAD:
        report = await run("areas", HEADER + rows)
        assert [fault.column for fault in report.refused][:1] == [column], rows
    assert (await run("areas", AREAS)).unchanged == 5


@pytest.mark.usefixtures("tree")
async def test_a_code_is_not_given_out_again_but_may_come_back(run: Import) -> None:
    assert (await run("areas", HEADER + MERGED)).ok
    again = await run("areas", HEADER + "990101,Another,district,9901,\n")
    assert [(fault.row, fault.column) for fault in again.refused] == [(2, "code")]
    back = await run("areas", HEADER + "990101,Sample District,district,9901,990102\n")
    assert (back.ok, back.changed) == (True, 1)
    assert (await run("areas", AREAS)).unchanged == 5
