"""The map page in a real browser: it draws grids and incidents, and nothing from outside."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from server.db.store import open_store
from server.replication.submit import Draft
from server.settings import Settings
from sync.ids import derived_id
from sync.mutation import Datum, Position
from tests.server.live import Live, live_server
from tests.web.browser import visit
from tests.world import World, build, centre_e7, done

pytestmark = pytest.mark.anyio
REPORTS = 3


def _report(index: int) -> Draft:
    lon_e7, lat_e7 = centre_e7(index)
    return Draft(
        record=derived_id("report", index),
        kind="report",
        base=0,
        set={"class": "0102", "channel": "hotline"},
        position=Position(lon_e7=lon_e7, lat_e7=lat_e7, datum=Datum.WGS84, accuracy_cm=500),
    )


@pytest.fixture
async def world(sqlite_url: str) -> World:
    """The small world with an incident in each of its first three grids."""
    store = open_store(sqlite_url)
    made = await store.write(build)
    drafts = [_report(index) for index in range(REPORTS)]
    await store.write(lambda db: done(db, made.importer, drafts))
    await store.close()
    return made


@pytest.fixture
def live(sqlite_url: str, world: World) -> Iterator[Live]:
    """The whole product on a real port."""
    del world
    with live_server(Settings(database_url=sqlite_url)) as server:
        yield server


async def test_the_map_draws_every_grid_and_incident(
    live: Live, world: World, tmp_path: Path
) -> None:
    token = world.tokens["dispatcher"]
    page = visit(f"{live.url}/map#token={token}", tmp_path)
    assert 'data-grids="4"' in page.document
    assert f'data-incidents="{REPORTS}"' in page.document
    assert len(re.findall(r'<path class="grid\b', page.document)) == 4
    assert len(re.findall(r'<path class="incident fill-reported\b', page.document)) == REPORTS
    assert "4 grids" in page.document
    assert page.console == ()


async def test_the_token_leaves_the_address_and_never_reaches_the_page(
    live: Live, world: World, tmp_path: Path
) -> None:
    token = world.tokens["dispatcher"]
    page = visit(f"{live.url}/map#token={token}", tmp_path)
    assert token not in page.document


async def test_without_a_token_the_page_asks_for_one(live: Live, tmp_path: Path) -> None:
    page = visit(f"{live.url}/map", tmp_path)
    assert '<form id="entry">' in page.document
    assert "data-grids" not in page.document


@pytest.mark.parametrize(
    ("login", "told"),
    [("ann", "This token may not read layers"), ("nobody", "This token is not valid")],
)
async def test_a_token_that_will_not_do_is_explained(
    live: Live, world: World, tmp_path: Path, login: str, told: str
) -> None:
    token = world.tokens.get(login, "jw_unknown")
    page = visit(f"{live.url}/map#token={token}", tmp_path)
    assert told in page.document
    assert '<form id="entry">' in page.document


async def test_the_page_may_only_use_its_own_files(live: Live) -> None:
    async with httpx.AsyncClient(base_url=live.url) as http:
        page = await http.get("/map")
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert re.findall(r"https?://", page.text) == []
        assert re.findall(r"<script(?![^>]*src=)|\son\w+=|style=", page.text) == []
        for name in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
            found = await http.get(name)
            assert found.status_code == 200
            again = await http.get(name, headers={"if-none-match": found.headers["etag"]})
            assert again.status_code == 304
        for path in ("/map/README.md", "/map/../settings.py", "/map/..%2fendpoints.py"):
            assert (await http.get(path)).status_code == 404
