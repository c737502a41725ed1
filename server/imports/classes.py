"""Import the catalogue of event classes."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from server.db.store import Store
from server.imports import queries
from server.imports.cells import Cells, FileFault, Row, read_rows
from server.imports.report import ImportReport
from server.imports.writing import Options, Wanted, write_all
from sync.ids import derived_id
from sync.kinds import CLASS

REQUIRED = ("code", "name")
OPTIONAL = ("name_zh", "major", "limit_hours", "duplicate_radius_m", "photo_rule", "active")


def _wanted(row: Row, known: Mapping[str, str], report: ImportReport) -> Wanted | None:
    cells = Cells(row, CLASS, report)
    cells.text("code", "name", "name_zh", "major", "photo_rule")
    cells.integer("limit_hours", "duplicate_radius_m")
    cells.flag("active")
    if not cells.good:
        return None
    code = cells.values["code"]
    record = known.get(code) or derived_id("class", code)
    return Wanted(row=row.number, record=record, kind="class", set=cells.values)


async def import_classes(store: Store, path: Path, options: Options) -> ImportReport:
    """Import a CSV file of event classes; nothing is written when a line is refused."""
    report = ImportReport(kind="classes", dry_run=options.dry_run)
    try:
        rows = list(read_rows(path, required=REQUIRED, optional=OPTIONAL))
    except FileFault as fault:
        report.refuse(0, "", fault.reason, fault.proposal)
        return report
    report.rows = len(rows)
    codes = sorted({row.cells["code"] for row in rows})
    if len(codes) < len(rows):
        report.refuse(0, "code", "a code occurs twice in the file")
    known = await store.read(partial(queries.classes_with, codes=codes))
    found = (_wanted(row, known, report) for row in rows)
    wanted = [each for each in found if each is not None]
    if report.ok:
        await write_all(store, wanted, options, report)
    return report
