"""What rows about households and residents ask for; they come in one file each.

A household is known by its dwelling's code and its door, a resident by the household and a
running number `no`: names and telephone numbers may change, and none of them enters an id. A
file names only what it knows; an empty cell leaves the stored value alone.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from server.imports import queries
from server.imports.batches import Batch
from server.imports.cells import Cells, Row
from server.imports.report import Code, ImportReport
from server.imports.writing import Wanted
from sync.ids import derived_id
from sync.kinds import HOUSEHOLD, RESIDENT
from sync.mutation import EMPTY

HOUSEHOLD_TEXTS = ("door", "contact_phone", "size_band", "status", "visit_preference")
NO_DWELLING = "no dwelling has this code"
NO_DWELLING_YET = "import the dwellings first"


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
        cells.refuse("dwelling", NO_DWELLING, NO_DWELLING_YET, code=Code.UNKNOWN)
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
        cells.refuse("dwelling", NO_DWELLING, NO_DWELLING_YET, code=Code.UNKNOWN)
    if dwelling is None or not cells.good:
        return None
    household = household_id(dwelling, cells.raw("door"))
    return Wanted(
        row=row.number,
        record=resident_id(household, cells.raw("no")),
        kind="resident",
        set={"household": household, **cells.values},
    )


def plan_households(db: Connection, rows: Sequence[Row], batch: Batch) -> list[Wanted]:
    """Return what rows want of households; those that cannot be are refused."""
    dwellings = _dwellings(db, rows, batch)
    found = (_household(row, dwellings, batch.report) for row in rows)
    return [each for each in found if each is not None]


def plan_residents(db: Connection, rows: Sequence[Row], batch: Batch) -> list[Wanted]:
    """Return what rows want of residents; those that cannot be are refused."""
    dwellings = _dwellings(db, rows, batch)
    found = (_resident(row, dwellings, batch.report) for row in rows)
    wanted = [each for each in found if each is not None]
    ids = sorted({each.set["household"] for each in wanted})
    present = queries.households_among(db, ids, batch.span)
    for each in wanted:
        if each.set["household"] not in present:
            reason = "no household has this dwelling and door"
            batch.report.refuse(each.row, "door", reason, code=Code.UNKNOWN)
    return [each for each in wanted if each.set["household"] in present]


def _dwellings(db: Connection, rows: Sequence[Row], batch: Batch) -> dict[str, str]:
    codes = sorted({row.cells.get("dwelling", "") for row in rows})
    return queries.dwellings_with(db, codes, batch.span)
