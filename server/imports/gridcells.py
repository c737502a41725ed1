"""The grids of a file, each checked alone: code, names, a shape that is valid or repaired."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shapely.geometry.base import BaseGeometry

from geo.codes import UNIT_GRID, Layout, check_code
from geo.errors import GeoError
from geo.geojson import Feature
from geo.measure import area_m2
from geo.polygon import as_multipolygon, invalidity, normal_boundary, refuse_crossing
from geo.repair import repair
from server.imports.hints import OUR_FIELDS, Fields
from server.imports.report import ImportReport, Repair
from sync.kinds import GRID

AREA_M2_MIN = 1.0
COMMUNITY_DIGITS = 12
ANY_LAYOUT = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class GridRules:
    """What is asked of the grids of a file.

    `layout` None accepts any code, whole numbers too. `repair` is for an operator at the
    command line: its time depends on the shapes, so a request never has it.
    """

    layout: Layout | None = UNIT_GRID
    fields: Fields = OUR_FIELDS
    repair: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One grid of the file after its own checks; `community` is a code or an id."""

    row: int
    code: str
    name: str
    community: str
    boundary: BaseGeometry
    area_m2: int


def read_cells(
    features: Sequence[Feature], report: ImportReport, rules: GridRules
) -> list[Cell]:
    """Check every feature alone; faults go to the report."""
    reading = _Reading(report, rules)
    report.rows = len(features)
    named = rules.fields.code
    if len(features) > 1 and all(each.properties.get(named) is None for each in features):
        advice = "say which attribute is the code, for example --field code=GRID_NO"
        report.refuse(0, "code", "no feature has a code", advice)
        return []
    cells = (reading.cell(row, each) for row, each in enumerate(features, start=1))
    return [cell for cell in cells if cell is not None]


class _Reading:
    """The checks of one feature; faults go to the report and reading goes on."""

    def __init__(self, report: ImportReport, rules: GridRules) -> None:
        self.report = report
        self.rules = rules
        self.seen: set[str] = set()

    def cell(self, row: int, feature: Feature) -> Cell | None:
        """Return the checked grid, or None after noting every fault of the feature."""
        before = len(self.report.refused)
        fields = self.rules.fields
        code = self._code(row, feature.properties.get(fields.code))
        name = self._text(row, "name", feature.properties.get(fields.name), code)
        named = fields.all_in or feature.properties.get(fields.community)
        community = self._text(row, "community", named, code[:COMMUNITY_DIGITS])
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

    def _text(self, row: int, column: str, value: Any, default: str) -> str:
        if value is None:
            # Without a code nothing can stand in for what is missing: one fault is enough.
            return default
        if self.rules.layout is None and type(value) is int:
            value = str(value)
        reason = GRID.fields["name" if column == "name" else "code"].type.fault(value)
        if reason is not None:
            self.report.refuse(row, column, reason)
            return ""
        return str(value)

    def _code(self, row: int, value: Any) -> str:
        if value is None:
            self.report.refuse(row, "code", "is missing", "each grid needs its code as text")
            return ""
        code = self._text(row, "code", value, "")
        if code and self.rules.layout is not None:
            try:
                check_code(self.rules.layout, code)
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
            drawn = as_multipolygon(feature.geometry)
            refuse_crossing(drawn)
            if self.rules.repair and (found := invalidity(drawn)) is not None:
                return self._repaired(row, drawn, found[0])
            return normal_boundary(drawn)
        except GeoError as fault:
            self.report.refuse(row, "geometry", place_of(fault))
            return None

    def _repaired(self, row: int, drawn: BaseGeometry, reason: str) -> BaseGeometry:
        made = repair(drawn)
        told = Repair(
            row=row, reason=reason, drawn_m2=made.drawn_m2, repaired_m2=made.repaired_m2
        )
        self.report.repaired.append(told)
        return made.boundary


def place_of(fault: GeoError) -> str:
    """Return a fault's sentence with the place on the map, when it has one."""
    if fault.position is None:
        return fault.detail
    return f"{fault.detail} at {fault.position.lon:.7f} {fault.position.lat:.7f}"
