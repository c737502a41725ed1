"""Import dwellings, households and residents from tables, a piece of the file at a time.

Good rows go in, bad ones are reported and stay out; each row is one mutation, so none is half
done. A piece is read, checked and written before the next, and ids follow from codes: after an
interruption the same file is imported again, and what is there already is left alone.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from types import MappingProxyType

from sqlalchemy import Connection

from server.db.store import Store
from server.imports.batches import Batch
from server.imports.cells import FileFault, Row
from server.imports.dwellings import plan_dwellings
from server.imports.headings import COLUMNS, UNMAPPED, Mapped
from server.imports.households import plan_households, plan_residents
from server.imports.report import Code, ImportReport, RowFault
from server.imports.tables import Table, read_table
from server.imports.writing import Options, Wanted, write_good

Planner = Callable[[Connection, Sequence[Row], Batch], list[Wanted]]
PLANNERS: Mapping[str, Planner] = MappingProxyType(
    {
        "dwellings": plan_dwellings,
        "households": plan_households,
        "residents": plan_residents,
    }
)
KEYS: Mapping[str, str] = MappingProxyType(
    {"dwellings": "code", "households": "door", "residents": "no"}
)
"""The column that tells the rows of a kind apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """A file as it came, of which kind, and what its columns mean."""

    kind: str
    content: bytes
    mapped: Mapped = UNMAPPED


async def import_registry(store: Store, file: TableFile, options: Options) -> ImportReport:
    """Import a table; what is wrong with it is in the report."""
    report = ImportReport(kind=file.kind, dry_run=options.dry_run)
    try:
        table = await asyncio.to_thread(
            read_table, file.content, COLUMNS[file.kind], file.mapped
        )
    except FileFault as fault:
        report.refuse(0, "", fault.reason, fault.proposal)
        return report
    await import_rows(store, table, options, report)
    return report


async def import_rows(
    store: Store, table: Table, options: Options, report: ImportReport
) -> None:
    """Import the rows of a table, some in a transaction, and count into `report`."""
    met: set[str] = set()
    while rows := await asyncio.to_thread(_some, table, options.at_once):
        report.rows += len(rows)
        wanted, faults = await store.read(
            partial(_planned, kind=report.kind, rows=rows, span=options.span)
        )
        for fault in faults:
            report.add(fault)
        await write_good(store, _first(wanted, met, report), options, report)
        options.progress(min(report.rows, table.total), table.total)
    report.refused.sort(key=lambda each: each.row)


def _some(table: Table, count: int) -> list[Row]:
    return list(islice(table.rows, count))


def _planned(
    db: Connection, *, kind: str, rows: Sequence[Row], span: tuple[int, int] | None
) -> tuple[list[Wanted], list[RowFault]]:
    report = ImportReport(kind=kind)
    return PLANNERS[kind](db, rows, Batch(report=report, span=span)), report.refused


def _first(wanted: Sequence[Wanted], met: set[str], report: ImportReport) -> list[Wanted]:
    """The rows whose record was not met before in this file; the others are refused."""
    kept = []
    for each in wanted:
        if each.record in met:
            reason, column = "occurs twice in the file", KEYS[report.kind]
            report.refuse(each.row, column, reason, code=Code.REPEATED)
            continue
        met.add(each.record)
        kept.append(each)
    return kept
