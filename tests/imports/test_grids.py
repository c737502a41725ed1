"""Grid polygons are checked one by one, then as a coverage, and only then written."""

from typing import Any

import pytest
from shapely.geometry import shape

from server.db.store import Store
from server.imports import queries
from server.imports.command import import_console
from server.imports.grids import import_feature_collection
from server.imports.report import ImportReport
from server.imports.writing import Options
from tests.imports.conftest import SIDE, Import, cell, collection, row_of_cells, square

pytestmark = [pytest.mark.anyio, pytest.mark.db]
EVERYWHERE = (-180.0, -90.0, 180.0, 90.0)


async def stored(store: Store) -> dict[str, Any]:
    return await store.read(lambda db: queries.grids_near(db, EVERYWHERE))


async def test_what_was_imported_is_what_the_file_says(
    store: Store, grids: ImportReport
) -> None:
    assert (grids.rows, grids.created) == (3, 3)
    found = await stored(store)
    wanted = {f["properties"]["code"]: f["geometry"] for f in row_of_cells(3)["features"]}
    assert found.keys() == wanted.keys()
    assert all(found[code].equals(shape(wanted[code])) for code in wanted)


@pytest.mark.usefixtures("grids")
async def test_a_second_import_changes_nothing(run: Import) -> None:
    again = await run("grids", row_of_cells(3))
    assert (again.created, again.changed, again.unchanged) == (0, 0, 3)


@pytest.mark.usefixtures("grids")
async def test_a_redrawn_boundary_changes_only_its_grid(run: Import, store: Store) -> None:
    taller = square(2)
    taller["coordinates"][0][2][1] = taller["coordinates"][0][3][1] = 25.002
    report = await run("grids", collection(cell(3, taller)))
    assert (report.changed, report.created) == (1, 0)
    assert (await stored(store))["990101001001003"].bounds[3] == pytest.approx(25.002)


@pytest.mark.usefixtures("tree")
async def test_an_overlap_refuses_the_file_and_says_how_much(run: Import, store: Store) -> None:
    wide = square(0, size=SIDE * 1.5)
    report = await run("grids", collection(cell(1, wide), cell(2, square(1))))
    assert not report.ok
    (fault,) = [each for each in report.coverage if each.fault == "overlap"]
    assert fault.grids == ("990101001001001", "990101001001002")
    assert fault.area_m2 == pytest.approx(5_590, rel=0.01)
    assert await stored(store) == {}


@pytest.mark.usefixtures("grids")
async def test_a_grid_may_not_overlap_one_that_is_stored(run: Import, store: Store) -> None:
    before = await stored(store)
    report = await run("grids", collection(cell(9, square(1))))
    assert not report.ok
    assert (await stored(store)).keys() == before.keys()


@pytest.mark.usefixtures("tree")
async def test_a_missing_cell_is_noted_with_its_place(run: Import) -> None:
    places = [(c, r) for c in range(3) for r in range(3) if (c, r) != (1, 1)]
    cells = [cell(number, square(*place)) for number, place in enumerate(places, start=1)]
    report = await run("grids", collection(*cells))
    assert report.ok
    (fault,) = report.coverage
    assert (fault.fault, fault.refused, len(fault.grids)) == ("gap", False, 8)
    assert fault.area_m2 == pytest.approx(11_180, rel=0.01)
    assert (fault.lon, fault.lat) == (pytest.approx(121.5015), pytest.approx(25.0015))


BOW_TIE = {
    "type": "Polygon",
    "coordinates": [[[121, 25], [121.01, 25.01], [121.01, 25], [121, 25.01], [121, 25]]],
}
SPECK = square(5, size=0.000001)


@pytest.mark.parametrize(
    ("feature", "column"),
    [
        (cell(1, square(0), code=None), "code"),
        (cell(1, square(0), code="12"), "code"),
        (cell(1, square(0), code=990101001001001), "code"),
        (cell(1, square(0), name=""), "name"),
        (cell(1, square(0), community="990101009009"), "community"),
        (cell(1, SPECK), "geometry"),
        ({**cell(1, square(0)), "geometry": None}, "geometry"),
        (cell(1, {"type": "Point", "coordinates": [121.5, 25]}), "geometry"),
    ],
)
@pytest.mark.usefixtures("tree")
async def test_a_bad_grid_refuses_the_file(
    run: Import, store: Store, feature: Any, column: str
) -> None:
    report = await run("grids", collection(cell(2, square(1)), feature))
    assert {(fault.row, fault.column) for fault in report.refused} == {(2, column)}
    assert await stored(store) == {}


@pytest.mark.usefixtures("tree")
async def test_a_self_intersection_is_refused_with_its_place(run: Import, store: Store) -> None:
    report = await run("grids", collection(cell(1, BOW_TIE)))
    (fault,) = report.refused
    assert "Self-intersection" in fault.reason
    assert "121.0050000 25.0050000" in fault.reason
    assert await stored(store) == {}


@pytest.mark.usefixtures("tree")
async def test_an_author_writes_in_the_own_area_only(store: Store) -> None:
    found = await store.read(lambda db: queries.areas_with(db, ["990101001002"], level=4))
    elsewhere = found["990101001002"]
    console = await store.write(import_console)
    options = Options(console=console, span=(elsewhere.lo, elsewhere.hi))
    report = await import_feature_collection(store, row_of_cells(1), options)
    assert [fault.column for fault in report.refused] == ["community"]
    assert await stored(store) == {}


@pytest.mark.usefixtures("tree")
async def test_other_layouts_of_codes_can_be_accepted(run: Import) -> None:
    local = cell(1, square(0), code="WH-1", community="990101001001")
    assert not (await run("grids", collection(local))).ok
    assert (await run("grids", collection(local), layout="any")).created == 1
