"""Every file of real grids is imported or refused, and reports what is wrong with it."""

from pathlib import Path
from typing import Any

import pytest

from server.imports.command import fields_named
from server.imports.report import ImportReport
from tests.imports.conftest import Import
from tests.shared_data import shared_path

pytestmark = [pytest.mark.anyio]
SLIVER_M2 = 100.0
COMMUNITY = "990101001001"
LOCAL = (
    'PROJCS["Local",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
    'PARAMETER["latitude_of_origin",-90],PARAMETER["central_meridian",-60],'
    'PARAMETER["scale_factor",1],PARAMETER["false_easting",4050000],'
    'PARAMETER["false_northing",0],UNIT["metre",1]]'
)
"""A plane in which the file without a system has a place, for its shapes to be looked at."""


def grids(name: str, code: str, **options: Any) -> tuple[Path, dict[str, Any]]:
    fields = fields_named([f"code={code}"], all_in=COMMUNITY)
    return shared_path("grids", name), {"fields": fields, "layout": "any"} | options


def figures(report: ImportReport) -> tuple[int, int, int, int, int]:
    """Features, invalid ones, overlapping pairs, grids with loose edges, slivers."""
    counts = report.coverage_counts
    slivers = [
        each for each in report.coverage if each.fault == "gap" and each.area_m2 < SLIVER_M2
    ]
    invalid = len(report.repaired)
    return report.rows, invalid, counts.get("overlap", 0), counts.get("edges", 0), len(slivers)


def overlaps_over_a_metre(report: ImportReport) -> int:
    return sum(each.fault == "overlap" and each.area_m2 > 1 for each in report.coverage)


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is judged here are files; the store is asked for one community."""
    return sqlite_url


@pytest.mark.usefixtures("tree")
async def test_every_file_is_imported_or_refused_with_its_figures(run: Import) -> None:
    """As they would be stored: in WGS 84, to a centimetre.

    `tests/geo/test_coverage.py` has the figures of the files as they lie there, and of the
    largest. Overlaps of New York are noise of its feet, far below a centimetre.
    """
    for name, code, wanted in (
        ("taipei_wanhua.geojson", "CODEBASE", (767, 0, 0, 0, 0)),
        ("tw_villages_2013_dirty.geojson.gz", "village_sn", (7_599, 8, 164, 328, 45)),
        ("chicago_community_areas.geojson.gz", "community_area", (77, 0, 0, 1, 0)),
        ("chicago_wards_2015.geojson.gz", "ward", (50, 0, 0, 2, 0)),
        ("cincinnati_blocks_epsg3735.zip", "ID", (457, 0, 0, 0, 0)),
        ("nyc_tracts_2000_epsg2263_dirty.zip", "BoroCT2000", (2_216, 0, 0, 4, 0)),
    ):
        path, options = grids(name, code, dry_run=True, repair=True)
        report = await run("grids", path, **options)
        assert figures(report) == wanted, name
        assert not report.refused
        assert report.ok == (overlaps_over_a_metre(report) == 0)
        if wanted[1]:
            assert overlaps_over_a_metre(report) == 153
            (first, *_) = report.repaired
            assert (first.row, first.reason) == (209, "Ring Self-intersection")
            assert first.change_m2 == pytest.approx(145.36, abs=0.01)


@pytest.mark.usefixtures("tree")
async def test_a_file_without_a_system_is_refused_and_has_its_figures_with_one(
    run: Import,
) -> None:
    name = "buenosaires_precincts_nocrs_dirty.zip"
    path, options = grids(name, "INDRA", dry_run=True)
    (fault,) = (await run("grids", path, **options)).refused
    assert "does not say" in fault.reason
    invalid = await run("grids", path, crs=LOCAL, **options)
    assert [each.row for each in invalid.refused] == [128, 174, 198, 208]
    assert all("elf-intersection at -58." in each.reason for each in invalid.refused)
    report = await run("grids", path, crs=LOCAL, repair=True, **options)
    assert figures(report) == (209, 4, 17, 29, 0)
    assert overlaps_over_a_metre(report) == 12
    assert sum(each.area_m2 for each in report.coverage if each.fault == "overlap") == (
        pytest.approx(255, rel=0.01)
    )
