"""Published lists of administrative divisions into the area tree, with what they changed.

A list is imported as a whole or not at all. What it does not name any more stays in the tree,
since homes and work hang on it, and is told: a person decides what becomes of it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from geo.divisions import (
    CODE_DIGITS,
    DIVISION_LEVELS,
    Division,
    Hierarchy,
    PlacedDivision,
    full_code,
    hierarchy,
    placed,
)
from geo.errors import GeoError
from server.db.store import Store
from server.imports.areas import (
    COLUMNS,
    NAME_CHARS_MAX,
    AreaWanted,
    place_and_report,
    read_listed,
)
from server.imports.cells import Row
from server.imports.news import news_of
from server.imports.queries import areas_at_levels
from server.imports.report import ImportReport
from server.imports.stored import StoredArea

TREE_LEVELS = (1, 2, 3, 4)


async def import_divisions(store: Store, path: Path, *, dry_run: bool = False) -> ImportReport:
    """Import a list with `code,name,level,parent`, all or nothing, and report what is new.

    Levels are country, province, city, county, town and village; codes may be short.
    """
    report = ImportReport(kind="divisions", dry_run=dry_run)
    rows = read_listed(path, report, optional=())
    found = [each for row in rows if (each := _division(row, report)) is not None]
    if not report.ok:
        return report
    listed = hierarchy(found)
    areas = placed(listed)
    stored = await store.read(lambda db: areas_at_levels(db, TREE_LEVELS))
    await place_and_report(store, _wanted(areas, stored), report)
    report.news = news_of(areas, _spoken_of(listed, areas, stored), listed.collisions)
    return report


def _spoken_of(
    listed: Hierarchy, areas: Sequence[PlacedDivision], stored: Mapping[str, StoredArea]
) -> list[StoredArea]:
    """The stored areas that a list speaks of: at its levels, and below what it begins with.

    A list with provinces speaks of everything.
    """
    levels = {each.level for each in areas}
    known = [each for each in stored.values() if each.level in levels]
    if any(each.level in {"country", "province"} for each in listed.divisions.values()):
        return known
    tops = [stored[each.code] for each in areas if each.parent is None and each.code in stored]
    return [each for each in known if any(top.lo <= each.lo <= top.hi for top in tops)]


def _division(row: Row, report: ImportReport) -> Division | None:
    code, name, level, parent = (row.cells.get(column, "") for column in COLUMNS)
    faults = len(report.refused)
    full, above = _code(code, "code", row, report), None
    if parent:
        above = _code(parent, "parent", row, report)
    if not 1 <= len(name) <= NAME_CHARS_MAX:
        report.refuse(row.number, "name", f"must have 1 to {NAME_CHARS_MAX} characters")
    if level not in DIVISION_LEVELS:
        report.refuse(row.number, "level", f"must be one of {', '.join(DIVISION_LEVELS)}")
    if len(report.refused) > faults:
        return None
    return Division(row=row.number, code=full, name=name, level=level, parent=above)


def _code(code: str, column: str, row: Row, report: ImportReport) -> str:
    try:
        return full_code(code)
    except GeoError:
        report.refuse(row.number, column, f"must have 2, 4, 6, 9 or {CODE_DIGITS} digits")
        return ""


def _wanted(
    areas: Sequence[PlacedDivision], stored: Mapping[str, StoredArea]
) -> list[AreaWanted]:
    """A part of a list does not name what is above it: that is what the tree has there."""
    codes = {area.id: area.code for area in stored.values()}
    found = []
    for each in areas:
        parent, known = each.parent, stored.get(each.code)
        if parent is None and not each.listed and known is not None:
            parent = codes.get(known.parent_id or "")
        found.append(
            AreaWanted(
                row=each.row, code=each.code, name=each.name, level=each.level, parent=parent
            )
        )
    return found
