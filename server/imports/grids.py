"""Import grid polygons: every shape checked alone, then all of them together as a coverage.

The check looks at the new polygons and the stored ones around them, so a second file cannot
overlap the first. Overlaps above `OVERLAP_M2_MAX` refuse the import; thinner ones, gaps and a
missing cell are noted in the report with their area and a place to look at, because the lake in
the middle of a community is a gap too.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import shapely
from shapely import STRtree
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection

from geo.areas import LEVEL_COMMUNITY, LEVEL_GRID
from geo.boundary import encode_boundary
from geo.coverage import Gap, InvalidEdges, Overlap, check_coverage
from geo.errors import GeoError
from geo.geojson import IMPORT_LIMITS, Feature, Limits, parse_geojson
from server.db.store import Store
from server.imports import queries
from server.imports.areas import AreaWanted, area_id
from server.imports.gridcells import Cell, GridRules, read_cells
from server.imports.report import CoverageFault, ImportReport
from server.imports.stored import StoredArea
from server.imports.writing import Options, Wanted, write_all

OVERLAP_M2_MAX = 1.0
GAP_WIDTH_M = 0.5
BESIDE_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is stored where the file wants to write."""

    communities: Mapping[str, StoredArea]
    ids: Mapping[str, str]
    boundaries: Mapping[str, BaseGeometry]


def check_places(
    cells: Sequence[Cell],
    stored: Mapping[str, StoredArea],
    span: tuple[int, int] | None,
    report: ImportReport,
) -> None:
    """Check that each community exists and lies where the author may write."""
    for cell in cells:
        community = stored.get(cell.community)
        if community is None:
            advice = "import the areas first, or name the community in the property"
            report.refuse(cell.row, "community", "no community has this code", advice)
        elif span is not None and not span[0] <= community.lo <= span[1]:
            report.refuse(cell.row, "community", "lies outside your area")


def check_tiling(
    cells: Sequence[Cell], around: Mapping[str, BaseGeometry], report: ImportReport
) -> None:
    """Check new and surrounding grids as one coverage; a real overlap refuses the import."""
    new = {cell.code: cell.boundary for cell in cells}
    together = {**around, **new}
    try:
        found = check_coverage(together, gap_width_m=GAP_WIDTH_M)
    except GeoError as fault:
        report.refuse(0, "geometry", fault.detail)
        return
    for overlap in found.overlaps:
        if not new.keys().isdisjoint(overlap.grids):
            refused = overlap.area_m2 > OVERLAP_M2_MAX
            report.coverage.append(_fault("overlap", overlap, overlap.grids, refused=refused))
    for gap, grids in zip(found.gaps, _beside(found.gaps, together), strict=True):
        report.coverage.append(_fault("gap", gap, grids, refused=False))
    report.coverage += [_loose(each) for each in found.invalid_edges if each.grid in new]


def _loose(found: InvalidEdges) -> CoverageFault:
    lon, lat = shapely.get_coordinates(found.edges)[0].tolist()
    return CoverageFault(
        fault="edges", grids=(found.grid,), area_m2=0.0, lon=lon, lat=lat, refused=False
    )


def _fault(
    fault: str, found: Overlap | Gap, grids: Sequence[str], *, refused: bool
) -> CoverageFault:
    return CoverageFault(
        fault=fault,
        grids=tuple(grids),
        area_m2=round(found.area_m2, 3),
        lon=found.place.lon,
        lat=found.place.lat,
        refused=refused,
    )


def _beside(gaps: Sequence[Gap], grids: Mapping[str, BaseGeometry]) -> list[list[str]]:
    """Return the codes of the grids around each gap, at most `BESIDE_MAX`."""
    codes = sorted(grids)
    tree = STRtree([grids[code] for code in codes])
    witnesses = np.array([gap.witness for gap in gaps], dtype=object)
    of_gap, hits = tree.query(witnesses, predicate="intersects")
    return [
        [codes[hit] for hit in sorted(hits[of_gap == at].tolist())[:BESIDE_MAX]]
        for at in range(len(gaps))
    ]


def _surroundings(db: Connection, cells: Sequence[Cell]) -> Surroundings:
    bounds = shapely.total_bounds([cell.boundary for cell in cells]).tolist()
    codes = sorted({cell.community for cell in cells})
    return Surroundings(
        communities=queries.areas_named(db, codes, level=LEVEL_COMMUNITY),
        ids=queries.area_ids(db, [cell.code for cell in cells]),
        boundaries=queries.grids_near(db, tuple(bounds)),
    )


def _wanted(cell: Cell, near: Surroundings) -> Wanted:
    record = near.ids.get(cell.code) or area_id(cell.code)
    return Wanted(
        row=cell.row,
        record=record,
        kind="grid",
        set={
            "code": cell.code,
            "name": cell.name,
            "community": near.communities[cell.community].id,
            "boundary": encode_boundary(cell.boundary),
            "area_m2": cell.area_m2,
        },
        area=AreaWanted(
            row=cell.row,
            code=cell.code,
            name=cell.name,
            level=LEVEL_GRID,
            parent=near.communities[cell.community].code,
        ),
    )


async def import_grids(
    store: Store,
    features: Sequence[Feature],
    options: Options,
    rules: GridRules,
) -> ImportReport:
    """Import grids given as features with the properties `code`, `name` and `community`.

    `name` defaults to the code, `community` (code or id) to the first 12 digits of it. Nothing
    is written when one feature is refused or two grids overlap.
    """
    report = ImportReport(kind="grids", dry_run=options.dry_run)
    cells = await asyncio.to_thread(read_cells, features, report, rules)
    if cells and report.ok:
        await import_cells(store, cells, options, report)
    return report


async def import_cells(
    store: Store, cells: list[Cell], options: Options, report: ImportReport
) -> None:
    """Check grids that are sound each alone together, and write them; all is in the report."""
    near = await store.read(partial(_surroundings, cells=cells))
    check_places(cells, near.communities, options.span, report)
    if not report.refused:
        await asyncio.to_thread(check_tiling, cells, near.boundaries, report)
    if report.ok:
        cells.sort(key=lambda cell: cell.code)
        await write_all(store, [_wanted(cell, near) for cell in cells], options, report)


async def import_feature_collection(
    store: Store, document: object, options: Options, *, limits: Limits = IMPORT_LIMITS
) -> ImportReport:
    """Import grids from a decoded GeoJSON document; see `import_grids`.

    Raises:
        GeoError: if the document is not GeoJSON by RFC 7946, with a JSON pointer into it.
    """
    parsed = await asyncio.to_thread(parse_geojson, document, limits=limits)
    return await import_grids(store, parsed.features, options, GridRules())
