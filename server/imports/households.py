"""Import households and their residents, one file each.

A household is known by its dwelling's code and its door, a resident by the household and a
running number `no`: names and telephone numbers may change, and none of them enters an id. A
file names only what it knows; an empty cell leaves the stored value alone.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from server.db.store import Store
from server.imports import queries
from server.imports.cells import Cells, FileFault, Row, read_rows
from server.imports.report import ImportReport
from server.imports.writing import Options, Wanted, write_all
from sync.ids import derived_id
from sync.kinds import HOUSEHOLD, RESIDENT
from sync.mutation import EMPTY

KEY = ("dwelling", "door")
HOUSEHOLD_TEXTS = ("door", "contact_phone", "size_band", "status", "visit_preference")
HOUSEHOLD_OPTIONAL = (*HOUSEHOLD_TEXTS[1:], "languages")
RESIDENT_REQUIRED = (*KEY, "no", "name")
RESIDENT_OPTIONAL = ("birth_year", "phone", "status")
NO_DWELLING = "no dwelling has this code"


def household_id(dwelling: str, door: str) -> str:
    """Return the id of the household behind a door of a dwelling (its id)."""
    return derived_id("household", dwelling, door)


def resident_id(household: str, number: str) -> str:
    """Return the id of the resident with a running number in a household."""
    return derived_id("resident", household, number)


def _household(row: Row, dwellings: Mapping[str, str], report: ImportReport) -> Wanted | None:
    cells = Cells(row, HOUSEHOLD, report)
    cells.text(*HOUSEHOLD_TEXTS)
    dwelling = dwellings.get(cells.raw("dwelling"))
    if dwelling is None:
        cells.refuse("dwelling", NO_DWELLING, "import the dwellings first")
        return None
    languages = tuple(dict.fromkeys(cells.raw("languages").split()))
    for each in languages:
        reason = HOUSEHOLD.sets["languages"].fault(each)
        if reason is not None:
            cells.refuse("languages", reason)
    if not cells.good:
        return None
    return Wanted(
        row=row.number,
        record=household_id(dwelling, cells.raw("door")),
        kind="household",
        set={"dwelling": dwelling, **cells.values},
        add={"languages": languages} if languages else EMPTY,
    )


def _resident(row: Row, dwellings: Mapping[str, str], report: ImportReport) -> Wanted | None:
    cells = Cells(row, RESIDENT, report)
    cells.text("name", "phone", "status")
    cells.integer("birth_year")
    if not cells.raw("no"):
        cells.refuse("no", "must number the residents of a household")
    dwelling = dwellings.get(cells.raw("dwelling"))
    if dwelling is None:
        cells.refuse("dwelling", NO_DWELLING, "import the dwellings first")
    if dwelling is None or not cells.good:
        return None
    household = household_id(dwelling, cells.raw("door"))
    return Wanted(
        row=row.number,
        record=resident_id(household, cells.raw("no")),
        kind="resident",
        set={"household": household, **cells.values},
    )


def _refuse_repeated(wanted: Sequence[Wanted], column: str, report: ImportReport) -> None:
    seen: set[str] = set()
    for each in wanted:
        if each.record in seen:
            report.refuse(each.row, column, "occurs twice in the file")
        seen.add(each.record)


async def _dwellings(store: Store, rows: Sequence[Row]) -> dict[str, str]:
    codes = sorted({row.cells["dwelling"] for row in rows})
    return await store.read(partial(queries.dwellings_with, codes=codes))


async def import_households(store: Store, path: Path, options: Options) -> ImportReport:
    """Import a CSV file of households; nothing is written when a line is refused."""
    report = ImportReport(kind="households", dry_run=options.dry_run)
    try:
        rows = list(read_rows(path, required=KEY, optional=HOUSEHOLD_OPTIONAL))
    except FileFault as fault:
        report.refuse(0, "", fault.reason, fault.proposal)
        return report
    report.rows = len(rows)
    dwellings = await _dwellings(store, rows)
    found = (_household(row, dwellings, report) for row in rows)
    wanted = [each for each in found if each is not None]
    _refuse_repeated(wanted, "door", report)
    if report.ok:
        await write_all(store, wanted, options, report)
    return report


async def import_residents(store: Store, path: Path, options: Options) -> ImportReport:
    """Import a CSV file of residents; nothing is written when a line is refused."""
    report = ImportReport(kind="residents", dry_run=options.dry_run)
    try:
        rows = list(read_rows(path, required=RESIDENT_REQUIRED, optional=RESIDENT_OPTIONAL))
    except FileFault as fault:
        report.refuse(0, "", fault.reason, fault.proposal)
        return report
    report.rows = len(rows)
    dwellings = await _dwellings(store, rows)
    found = (_resident(row, dwellings, report) for row in rows)
    wanted = [each for each in found if each is not None]
    _refuse_repeated(wanted, "no", report)
    await _check_households(store, wanted, report)
    if report.ok:
        await write_all(store, wanted, options, report)
    return report


def _present(db: Connection, ids: Sequence[str]) -> set[str]:
    return queries.households_among(db, ids)


async def _check_households(
    store: Store, wanted: Sequence[Wanted], report: ImportReport
) -> None:
    ids = sorted({each.set["household"] for each in wanted})
    present = await store.read(partial(_present, ids=ids))
    for each in wanted:
        if each.set["household"] not in present:
            report.refuse(each.row, "door", "no household has this dwelling and door")
