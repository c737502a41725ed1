"""The upper levels of the area tree, and the leaf that every grid brings with it.

Areas are not synced records: their place in the tree is an interval of numbers that is given
once and never changes, so that a scope stays two integers. A new child gets the next free slot
of its parent; an area that is imported again may change its name, and its code if the file says
which one it had: what it was called before is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from geo.areas import LEVEL_COMMUNITY, LEVEL_GRID, LEVELS, AreaEntry, Span, assign_spans
from geo.errors import GeoError
from server.clock import now_ms
from server.db.store import Store
from server.imports import queries
from server.imports.cells import FileFault, Row, read_rows
from server.imports.report import ImportReport
from server.imports.stored import StoredArea
from sync.ids import derived_id

COLUMNS = ("code", "name", "level", "parent")
FORMERLY = "formerly"
CODE_CHARS_MAX, NAME_CHARS_MAX = 40, 100
AREAS_MAX = 100_000
_LEVEL_NUMBERS = {name: number for number, name in enumerate(LEVELS, start=1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaWanted:
    """An area that must exist: `parent` is a code, None for one without. `row` is for reports.

    `formerly` is the code that it has until now, if that changes.
    """

    row: int
    code: str
    name: str
    level: int
    parent: str | None
    formerly: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaPlan:
    """What has to be written, and what is refused as `(row, column, reason)`.

    `former` is what the renamed were, in the same order.
    """

    created: tuple[StoredArea, ...] = ()
    renamed: tuple[StoredArea, ...] = ()
    former: tuple[StoredArea, ...] = ()
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
    """Decide what the tree needs so that every wanted area exists; `stored` is by code.

    The number of an area is its own for ever, and so is its id; code and name may change.
    """
    stored, refused = _recoded(wanted, stored)
    if refused:
        return AreaPlan(refused=tuple(refused))
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
    renamed = [area for area in areas if stored.get(area.code, area) != area]
    return AreaPlan(
        created=tuple(area for area in areas if area.code not in stored),
        renamed=tuple(renamed),
        former=tuple(stored[area.code] for area in renamed),
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


def _recoded(
    wanted: Sequence[AreaWanted], stored: Mapping[str, StoredArea]
) -> tuple[dict[str, StoredArea], list[tuple[int, str, str]]]:
    """What is stored, by the codes that it is wanted under, and the codes that cannot be."""
    known, refused = dict(stored), []
    for each in wanted:
        if each.formerly is None or (each.code in stored and each.formerly not in stored):
            continue
        area = known.pop(each.formerly, None)
        if area is None:
            refused.append((each.row, FORMERLY, "is the code of no area, or of another row"))
        elif each.code in stored:
            refused.append((each.row, "code", "is the code of another area"))
        else:
            known[each.code] = area
    return known, refused


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
    named = ((each.code, each.parent, each.formerly) for each in wanted)
    codes = {code for each in named for code in each if code}
    plan = plan_areas(wanted, queries.areas_around(db, sorted(codes)))
    refused = plan.refused or _given_before(db, wanted, plan)
    if refused:
        raise AreasRefusedError(refused)
    if not dry_run:
        above = [each for each in plan.former if each.level < LEVEL_GRID]
        queries.note_former(db, above, now_ms())
        queries.save_areas(db, [*plan.created, *plan.renamed])
    return plan


def _given_before(
    db: Connection, wanted: Sequence[AreaWanted], plan: AreaPlan
) -> list[tuple[int, str, str]]:
    """The codes to be given out that another area had: old papers must stay readable."""
    given = {each.code: each.id for each in (*plan.created, *plan.renamed)}
    before = queries.former_owners(db, sorted(given))
    renamed = {each.id for each in plan.renamed}
    return [
        (each.row, "code", "was the code of another area; codes are not given out again")
        for each in wanted
        if before.get(each.code, set()) - (renamed & {given.get(each.code, "")})
    ]


def _wanted(row: Row, report: ImportReport) -> AreaWanted | None:
    code, name, level, parent = (row.cells.get(column, "") for column in COLUMNS)
    formerly = row.cells.get(FORMERLY) or None
    faults = len(report.refused)
    if not 1 <= len(code) <= CODE_CHARS_MAX:
        report.refuse(row.number, "code", f"must have 1 to {CODE_CHARS_MAX} characters")
    if not 1 <= len(name) <= NAME_CHARS_MAX:
        report.refuse(row.number, "name", f"must have 1 to {NAME_CHARS_MAX} characters")
    if level not in LEVELS[:LEVEL_COMMUNITY]:
        words = ", ".join(LEVELS[:LEVEL_COMMUNITY])
        report.refuse(row.number, "level", f"must be one of {words}")
    elif level == LEVELS[0] and parent:
        report.refuse(row.number, "parent", "must be left out for a city")
    elif level in LEVELS[2:] and not parent:
        report.refuse(row.number, "parent", "must be named, except for a city or a district")
    if len(report.refused) > faults:
        return None
    return AreaWanted(
        row=row.number,
        code=code,
        name=name,
        level=_LEVEL_NUMBERS[level],
        parent=parent or None,
        formerly=formerly,
    )


def read_listed(path: Path, report: ImportReport, *, optional: tuple[str, ...]) -> list[Row]:
    """Return the rows of a list of areas, counted; none of a file that is refused."""
    try:
        rows = list(read_rows(path, required=COLUMNS, optional=optional))
    except FileFault as fault:
        report.refuse(0, "", fault.reason, fault.proposal)
        return []
    report.rows = len(rows)
    if len(rows) > AREAS_MAX:
        report.refuse(0, "", f"more than {AREAS_MAX} areas")
    return rows


async def import_areas(store: Store, path: Path, *, dry_run: bool = False) -> ImportReport:
    """Import a CSV file of cities, districts, streets and communities, all or nothing."""
    report = ImportReport(kind="areas", dry_run=dry_run)
    rows = read_listed(path, report, optional=(FORMERLY,))
    wanted = [each for row in rows if (each := _wanted(row, report)) is not None]
    if not report.ok:
        return report
    await place_and_report(store, wanted, report)
    return report


async def place_and_report(
    store: Store, wanted: Sequence[AreaWanted], report: ImportReport
) -> None:
    """Make areas exist in one transaction, or note why not; a dry run writes nothing."""
    work = partial(place_areas, wanted=wanted, dry_run=report.dry_run)
    try:
        plan = await (store.read(work) if report.dry_run else store.write(work))
    except AreasRefusedError as refusal:
        for row, column, reason in refusal.refused:
            report.refuse(row, column, reason)
        return
    report.created, report.changed = len(plan.created), len(plan.renamed)
    report.unchanged = plan.unchanged
