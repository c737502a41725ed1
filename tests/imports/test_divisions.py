"""The real hierarchies of 2016 and 2023, one after the other, and parts of them."""

import csv
import io
from collections.abc import Mapping, Sequence

import pytest

from server.db.store import Store
from server.imports import queries
from server.imports.news import DivisionNews
from server.imports.stored import StoredArea
from tests.imports.conftest import Import
from tests.shared_data import shared_rows

pytestmark = [pytest.mark.anyio, pytest.mark.db]
OF_2016, OF_2023 = "cn_divisions_2016_l0_l3.csv.gz", "cn_divisions_2023_l1_l4.csv.gz"
COLUMNS = ("code", "name", "level", "parent")
Rows = Sequence[Mapping[str, str]]


def text(rows: Rows) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def listed(name: str, *, below: str = "", levels: str = "province city county town") -> Rows:
    return [
        row
        for row in shared_rows("admin", name)
        if row["code"].startswith(below) and row["level"] in levels.split()
    ]


async def stored(store: Store) -> dict[str, StoredArea]:
    return await store.read(lambda db: queries.areas_at_levels(db, [1, 2, 3, 4]))


async def test_the_country_of_2023_over_that_of_2016(run: Import, store: Store) -> None:
    first = await run("divisions", text(shared_rows("admin", OF_2016)))
    assert (first.ok, first.rows) == (True, 3_512)
    before = await stored(store)
    assert first.created == len(before)
    assert before["429004000000"].parent_id is None
    assert before["110101000000"].parent_id == before["110000000000"].id
    counties = listed(OF_2023, levels="province city county")
    report = await run("divisions", text(counties))
    assert report.ok
    news = report.news
    assert isinstance(news, DivisionNews)
    # Against the published figures: 266 of the counties are new, three of them stand for their
    # city; 421 vanished, most of them headings, which never were areas.
    codes = {row["code"] for row in shared_rows("admin", OF_2016) if row["level"] == "county"}
    headings = {row["code"] for row in shared_rows("admin", OF_2016) if row["name"] == "市辖区"}
    now = {row["code"].ljust(12, "0") for row in counties if row["level"] == "county"}
    assert (len(codes - now), len(now - codes)) == (421, 266)
    lost = {code for code in news.vanished if before[code].level == 2}
    assert lost == codes - now - headings
    assert {each.code for each in news.collisions} == {
        "441900000000",
        "442000000000",
        "460400000000",
    }
    assert report.created == len(news.appeared)
    assert report.changed == len(news.renamed) > 0
    after = await stored(store)
    for code, area in before.items():
        assert (after[code].id, after[code].lo) == (area.id, area.lo)
    assert any("421" not in line and "vanished" in line for line in report.lines())
    assert report.as_json()["news"]["vanished_count"] == len(news.vanished)


async def test_a_part_of_a_list_speaks_of_its_part(run: Import, store: Store) -> None:
    district = "330106"
    city = listed(OF_2023, below="3301", levels="city county")
    assert (await run("divisions", text(city))).ok
    old = [
        row
        for row in shared_rows("admin", "cn_subtrees_2016.csv.gz")
        if row["code"].startswith(district)
    ]
    report = await run("divisions", text(old))
    assert (report.ok, report.rows, report.unchanged) == (True, 1 + 12 + 201, 1)
    assert report.news.vanished == ()  # other districts are none of its business
    areas = await stored(store)
    assert areas["330106000000"].parent_id == areas["330100000000"].id
    assert {area.level for area in areas.values()} == {1, 2, 3, 4}
    towns = [*listed(OF_2023, below=district, levels="county town")]
    later = await run("divisions", text(towns), dry_run=True)
    stayed = {row["code"].ljust(12, "0") for row in towns}
    gone = [code for code, area in areas.items() if area.level == 3 and code not in stayed]
    assert sorted(later.news.vanished) == sorted(gone)
    assert await stored(store) == areas


BAD = (
    ("1,A,city,", "code"),
    ("1101,A,municipality,", "level"),
    ("1101,,city,", "name"),
    ("1101,A,city,x", "parent"),
)


async def test_a_bad_row_refuses_the_list(run: Import, store: Store) -> None:
    for row, column in BAD:
        report = await run("divisions", f"code,name,level,parent\n11,B,province,\n{row}\n")
        assert [(fault.row, fault.column) for fault in report.refused] == [(3, column)]
    assert await stored(store) == {}
