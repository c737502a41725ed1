"""What `jingwei import KIND FILE` does, for any caller that has a file and a database."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from sqlalchemy import Connection

from geo.codes import LAYOUTS, UNIT_GRID
from server.clock import now_ms
from server.db.store import Store, normalised, open_store
from server.identity.principal import Role
from server.identity.queries import account_for_token
from server.imports.areas import import_areas
from server.imports.cells import FileFault
from server.imports.classes import import_classes
from server.imports.divisions import import_divisions
from server.imports.dwellings import import_dwellings
from server.imports.gridcells import ANY_LAYOUT, GridRules
from server.imports.grids import import_grids
from server.imports.hints import OUR_FIELDS, Fields, Hints
from server.imports.households import import_households, import_residents
from server.imports.queries import ground
from server.imports.report import ImportReport
from server.imports.shapes import read_features
from server.imports.writing import Options, Progress, silent
from server.migrations import migrate
from server.replication.submit import Console
from server.settings import Settings

LOGIN = "import"
KINDS = ("areas", "divisions", "grids", "dwellings", "households", "residents", "classes")
FIELD_NAMES = ("code", "name", "community")
_BY_FILE = {
    "dwellings": import_dwellings,
    "households": import_households,
    "residents": import_residents,
    "classes": import_classes,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """One call of the command.

    `crs`, `encoding`, `layer` and `fields` are for a vector file that does not say them, see
    `hints.Hints`; `layout` is the layout of grid codes, `any` to accept every code; `repair`
    asks for invalid polygons to be repaired.
    """

    kind: str
    path: Path
    crs: str | None = None
    encoding: str | None = None
    layer: str | None = None
    fields: Fields = OUR_FIELDS
    layout: str = UNIT_GRID.name
    repair: bool = False
    dry_run: bool = False
    progress: Progress = silent


def import_console(db: Connection) -> Console:
    """Return the console that imports write for; its account is made when it is missing.

    Raises:
        AlreadyExists: if somebody else has taken the login.
    """
    account = account_for_token(
        db, login=LOGIN, role=Role.ADMIN, area_code=None, now_ms=now_ms()
    )
    return Console(account=account, role=Role.ADMIN.value)


async def import_into(store: Store, request: ImportRequest) -> ImportReport:
    """Import one file into a store. Bad input is in the report; nothing is raised for it."""
    if request.kind == "areas":
        return await import_areas(store, request.path, dry_run=request.dry_run)
    if request.kind == "divisions":
        return await import_divisions(store, request.path, dry_run=request.dry_run)
    report = ImportReport(kind=request.kind, dry_run=request.dry_run)
    console = await store.write(import_console)
    options = Options(console=console, dry_run=request.dry_run, progress=request.progress)
    if request.kind != "grids":
        return await _BY_FILE[request.kind](store, request.path, options)
    hints = Hints(
        crs=request.crs,
        encoding=request.encoding,
        layer=request.layer,
        fields=request.fields,
        ground=await store.read(ground),
    )
    try:
        features = await asyncio.to_thread(read_features, request.path, hints)
    except FileFault as fault:
        report.refuse(0, "", fault.reason, fault.proposal)
        return report
    layout = None if request.layout == ANY_LAYOUT else LAYOUTS[request.layout]
    rules = GridRules(layout=layout, fields=request.fields, repair=request.repair)
    return await import_grids(store, features, options, rules)


def fields_named(pairs: Sequence[str], *, all_in: str | None = None) -> Fields:
    """Return how a file calls the attributes of grids, from texts like `code=GRID_NO`.

    Raises:
        ValueError: for an attribute that grids do not have, or one that is named twice.
    """
    found: dict[str, str] = {}
    for each in pairs:
        ours, equals, theirs = each.partition("=")
        if ours not in FIELD_NAMES or not (equals and theirs):
            raise ValueError(f"needs {', '.join(FIELD_NAMES)} and its name: code=GRID_NO")
        if ours in found:
            raise ValueError(f"{ours} is named twice")
        found[ours] = theirs
    return Fields(**found, all_in=all_in)


def import_command(database: str, request: ImportRequest) -> None:
    """Import a file for the command line: print the report, exit with 1 if it was refused."""
    report = run_import(database, request)
    for line in report.lines():
        typer.echo(line)
    if not report.ok:
        raise typer.Exit(1)


def run_import(database: str, request: ImportRequest) -> ImportReport:
    """Open the store, import one file, close it again; an embedded store is made when missing.

    Raises:
        StoreBusy: if the database cannot do the work now.
    """
    if normalised(database).get_backend_name() == "sqlite":
        migrate(database)

    async def once() -> ImportReport:
        store = open_store(database, allow_unsafe=Settings().allow_unsafe)
        try:
            return await import_into(store, request)
        finally:
            await store.close()

    return asyncio.run(once())
