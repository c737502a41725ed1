"""The upper levels of the area tree, and the leaf that every grid brings with it.

Areas are not synced records: their place in the tree is an interval of numbers that is given
once and never changes, so that a scope stays two integers. A new child gets the next free slot
of its parent; an area that is imported again may only change its name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from geo.areas import LEVELS, AreaEntry, Span, assign_spans
from geo.errors import GeoError
from server.db.store import Store
from server.imports import queries
from server.imports.cells import FileFault, Row, read_rows
from server.imports.queries import StoredArea
from server.imports.report import ImportReport
from sync.ids import derived_id

LEVEL_COMMUNITY, LEVEL_GRID = 4, 5
COLUMNS = ("code", "name", "level", "parent")
CODE_CHARS_MAX, NAME_CHARS_MAX = 40, 100
AREAS_MAX = 100_000
_LEVEL_NUMBERS = {name: number for number, name in enumerate(LEVELS, start=1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaWanted:
    """An area that must exist: `parent` is a code, None for a city. `row` is for the report."""

    row: int
    code: str
    name: str
    level: int
    parent: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaPlan:
    """What has to be written, and what is refused as `(row, column, reason)`."""

    created: tuple[StoredArea, ...] = ()
    renamed: tuple[StoredArea, ...] = ()
    unchanged: int = 0
    refused: tuple[tuple[int, str, str], ...] = ()


class AreasRefusedError(Exception):
    """The tree does not take these areas, so the transaction must roll back."""

    def __init__(self, refused: Sequence[tuple[int, str, str]]) -> None:
        super().__init__("areas refused")
        self.refused = refused


def area_id(code: str) -> str:
    """Return the id an area or grid gets when it is first imported under `code`."""
    return derived_id("area", code)


def plan_areas(wanted: Sequence[AreaWanted], stored: Mapping[str, StoredArea]) -> AreaPlan:
    """Decide what the tree needs so that every wanted area exists; `stored` is by code."""
    refused = [fault for each in wanted for fault in _moved(each, stored)]
    entries = [AreaEntry(code=w.code, level=w.level, parent_code=w.parent) for w in wanted]
    taken = {code: Span(area.lo, area.hi) for code, area in stored.items()}
    try:
        spans = assign_spans(entries, taken)
    except GeoError as fault:
        index, _, column = fault.pointer.removeprefix("/").partition("/")
        refused.append((wanted[int(index)].row, column, fault.detail))
        spans = {}
    if refused:
        return AreaPlan(refused=tuple(refused))
    ids = {code: area.id for code, area in stored.items()}
    ids |= {each.code: area_id(each.code) for each in wanted if each.code not in ids}
    areas = [_stored(each, ids, spans[each.code]) for each in wanted]
    return AreaPlan(
        created=tuple(area for area in areas if area.code not in stored),
        renamed=tuple(
            area
            for area in areas
            if area.code in stored and stored[area.code].name != area.name
        ),
        unchanged=sum(stored.get(area.code) == area for area in areas),
    )


def _stored(wanted: AreaWanted, ids: Mapping[str, str], span: Span) -> StoredArea:
    return StoredArea(
        id=ids[wanted.code],
        code=wanted.code,
        name=wanted.name,
        level=wanted.level,
        parent_id=None if wanted.parent is None else ids[wanted.parent],
        lo=span.lo,
        hi=span.hi,
    )


def _moved(wanted: AreaWanted, stored: Mapping[str, StoredArea]) -> list[tuple[int, str, str]]:
    """Say why an area that exists may not be what is wanted: it would move in the tree."""
    area = stored.get(wanted.code)
    if area is None:
        return []
    if area.level != wanted.level:
        return [(wanted.row, "level", "the area exists with another level")]
    parent = stored.get(wanted.parent or "")
    if (None if parent is None else parent.id) != area.parent_id:
        return [(wanted.row, "parent", "the area exists under another parent")]
    return []


def place_areas(db: Connection, wanted: Sequence[AreaWanted], *, dry_run: bool) -> AreaPlan:
    """Make the areas exist inside the caller's transaction and return what that took.

    Raises:
        AreasRefusedError: if the tree does not take one of them.
    """
    if not wanted:
        return AreaPlan()
    if not dry_run:
        queries.lock_tree(db)
    codes = {each.code for each in wanted} | {each.parent for each in wanted if each.parent}
    plan = plan_areas(wanted, queries.areas_around(db, sorted(codes)))
    if plan.refused:
        raise AreasRefusedError(plan.refused)
    if not dry_run:
        queries.save_areas(db, [*plan.created, *plan.renamed])
    return plan


def _wanted(row: Row, report: ImportReport) -> AreaWanted | None:
    code, name, level, parent = (row.cells.get(column, "") for column in COLUMNS)
    faults = len(report.refused)
    if not 1 <= len(code) <= CODE_CHARS_MAX:
        report.refuse(row.number, "code", f"must have 1 to {CODE_CHARS_MAX} characters")
    if not 1 <= len(name) <= NAME_CHARS_MAX:
        report.refuse(row.number, "name", f"must have 1 to {NAME_CHARS_MAX} characters")
    if level not in LEVELS[:LEVEL_COMMUNITY]:
        words = ", ".join(LEVELS[:LEVEL_COMMUNITY])
        report.refuse(row.number, "level", f"must be one of {words}")
    elif (level == LEVELS[0]) != (not parent):
        report.refuse(row.number, "parent", "must be named, except for a city")
    if len(report.refused) > faults:
        return None
    return AreaWanted(
        row=row.number, code=code, name=name, level=_LEVEL_NUMBERS[level], parent=parent or None
    )


async def import_areas(store: Store, path: Path, *, dry_run: bool = False) -> ImportReport:
    """Import a CSV file of cities, districts, streets and communities, all or nothing."""
    report = ImportReport(kind="areas", dry_run=dry_run)
    try:
        rows = list(read_rows(path, required=COLUMNS, optional=()))
    except FileFault as fault:
        report.refuse(0, "", fault.reason, fault.proposal)
        return report
    report.rows = len(rows)
    if len(rows) > AREAS_MAX:
        report.refuse(0, "", f"more than {AREAS_MAX} areas")
    wanted = [each for row in rows if (each := _wanted(row, report)) is not None]
    if not report.ok:
        return report
    work = partial(place_areas, wanted=wanted, dry_run=dry_run)
    try:
        plan = await (store.read(work) if dry_run else store.write(work))
    except AreasRefusedError as refusal:
        for row, column, reason in refusal.refused:
            report.refuse(row, column, reason)
        return report
    report.created, report.changed = len(plan.created), len(plan.renamed)
    report.unchanged = plan.unchanged
    return report
