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
from typing import Any

import shapely
from shapely import STRtree
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection

from geo.boundary import encode_boundary
from geo.codes import UNIT_GRID, Layout, check_code
from geo.coverage import Gap, Overlap, check_coverage
from geo.errors import GeoError
from geo.geojson import IMPORT_LIMITS, Feature, Limits, parse_geojson
from geo.measure import area_m2
from geo.polygon import as_multipolygon, normal_boundary
from server.db.store import Store
from server.imports import queries
from server.imports.areas import LEVEL_COMMUNITY, LEVEL_GRID, AreaWanted, area_id
from server.imports.queries import StoredArea
from server.imports.report import CoverageFault, ImportReport
from server.imports.writing import Options, Wanted, write_all
from sync.kinds import GRID

AREA_M2_MIN = 1.0
OVERLAP_M2_MAX = 1.0
GAP_WIDTH_M = 0.5
COMMUNITY_DIGITS = 12
BESIDE_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One grid of the file after its own checks."""

    row: int
    code: str
    name: str
    community: str
    boundary: BaseGeometry
    area_m2: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is stored where the file wants to write."""

    communities: Mapping[str, StoredArea]
    ids: Mapping[str, str]
    boundaries: Mapping[str, BaseGeometry]


class _Reading:
    """The checks of one feature; faults go to the report and reading goes on."""

    def __init__(self, report: ImportReport, layout: Layout | None) -> None:
        self.report = report
        self.layout = layout
        self.seen: set[str] = set()

    def cell(self, row: int, feature: Feature) -> Cell | None:
        """Return the checked grid, or None after noting every fault of the feature."""
        before = len(self.report.refused)
        code = self._code(row, feature.properties)
        name = self._text(row, feature.properties, "name", code)
        community = self._text(row, feature.properties, "community", code[:COMMUNITY_DIGITS])
        boundary = self._boundary(row, feature)
        if boundary is None or len(self.report.refused) > before:
            return None
        area = area_m2(boundary)
        if area < AREA_M2_MIN:
            self.report.refuse(row, "geometry", f"is smaller than {AREA_M2_MIN:g} m2")
            return None
        return Cell(
            row=row,
            code=code,
            name=name,
            community=community,
            boundary=boundary,
            area_m2=round(area),
        )

    def _text(self, row: int, properties: Mapping[str, Any], name: str, default: str) -> str:
        value = properties.get(name)
        if value is None:
            # Without a code nothing can stand in for what is missing: one fault is enough.
            return default
        field = "name" if name == "name" else "code"
        reason = GRID.fields[field].type.fault(value)
        if reason is not None:
            self.report.refuse(row, name, reason)
            return ""
        return str(value)

    def _code(self, row: int, properties: Mapping[str, Any]) -> str:
        if properties.get("code") is None:
            self.report.refuse(row, "code", "is missing", "each grid needs its code as text")
            return ""
        code = self._text(row, properties, "code", "")
        if code and self.layout is not None:
            try:
                check_code(self.layout, code)
            except GeoError as fault:
                self.report.refuse(row, "code", fault.detail)
        if code in self.seen:
            self.report.refuse(row, "code", "occurs twice in the file")
        self.seen.add(code)
        return code

    def _boundary(self, row: int, feature: Feature) -> BaseGeometry | None:
        if feature.geometry is None:
            self.report.refuse(row, "geometry", "is missing")
            return None
        try:
            return normal_boundary(as_multipolygon(feature.geometry))
        except GeoError as fault:
            self.report.refuse(row, "geometry", place_of(fault))
            return None


def place_of(fault: GeoError) -> str:
    """Return a fault's sentence with the place on the map, when it has one."""
    if fault.position is None:
        return fault.detail
    return f"{fault.detail} at {fault.position.lon:.7f} {fault.position.lat:.7f}"


def read_cells(
    features: Sequence[Feature], report: ImportReport, *, layout: Layout | None = UNIT_GRID
) -> list[Cell]:
    """Check every feature alone; faults go to the report. `layout` None accepts any code."""
    reading = _Reading(report, layout)
    report.rows = len(features)
    cells = (reading.cell(row, each) for row, each in enumerate(features, start=1))
    return [cell for cell in cells if cell is not None]


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
    new = {cell.code for cell in cells}
    together = {**around, **{cell.code: cell.boundary for cell in cells}}
    found = check_coverage(together, gap_width_m=GAP_WIDTH_M)
    for overlap in found.overlaps:
        if not new.isdisjoint(overlap.grids):
            refused = overlap.area_m2 > OVERLAP_M2_MAX
            report.coverage.append(_fault("overlap", overlap, overlap.grids, refused=refused))
    for gap in found.gaps:
        report.coverage.append(_fault("gap", gap, _beside(gap, together), refused=False))


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


def _beside(gap: Gap, grids: Mapping[str, BaseGeometry]) -> list[str]:
    """Return the codes of the grids around a gap, at most `BESIDE_MAX`."""
    codes = sorted(grids)
    tree = STRtree([grids[code] for code in codes])
    hits = tree.query(gap.witness, predicate="intersects").tolist()
    return [codes[hit] for hit in sorted(hits)[:BESIDE_MAX]]


def _surroundings(db: Connection, cells: Sequence[Cell]) -> Surroundings:
    bounds = shapely.total_bounds([cell.boundary for cell in cells]).tolist()
    codes = sorted({cell.community for cell in cells})
    return Surroundings(
        communities=queries.areas_with(db, codes, level=LEVEL_COMMUNITY),
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
            parent=cell.community,
        ),
    )


async def import_grids(
    store: Store,
    features: Sequence[Feature],
    options: Options,
    *,
    layout: Layout | None = UNIT_GRID,
) -> ImportReport:
    """Import grids given as features with the properties `code`, `name` and `community`.

    `name` defaults to the code, `community` (a code) to the first 12 digits of it. Nothing is
    written when one feature is refused or two grids overlap.
    """
    report = ImportReport(kind="grids", dry_run=options.dry_run)
    cells = await asyncio.to_thread(read_cells, features, report, layout=layout)
    if not cells or not report.ok:
        return report
    near = await store.read(partial(_surroundings, cells=cells))
    check_places(cells, near.communities, options.span, report)
    if not report.refused:
        await asyncio.to_thread(check_tiling, cells, near.boundaries, report)
    if report.ok:
        cells.sort(key=lambda cell: cell.code)
        await write_all(store, [_wanted(cell, near) for cell in cells], options, report)
    return report


async def import_feature_collection(
    store: Store, document: object, options: Options, *, limits: Limits = IMPORT_LIMITS
) -> ImportReport:
    """Import grids from a decoded GeoJSON document; see `import_grids`.

    Raises:
        GeoError: if the document is not GeoJSON by RFC 7946, with a JSON pointer into it.
    """
    parsed = await asyncio.to_thread(parse_geojson, document, limits=limits)
    return await import_grids(store, parsed.features, options)
