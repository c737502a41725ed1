"""What `jingwei import KIND FILE` does, for any caller that has a file and a database."""

import asyncio
import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import typer
from sqlalchemy import Connection

from geo.codes import LAYOUTS, UNIT_GRID
from server.clock import now_ms
from server.db.store import Store, normalised, open_store
from server.identity.principal import Role
from server.identity.queries import account_for_token
from server.imports.areas import import_areas
from server.imports.cells import FileFault, read_limited
from server.imports.classes import import_classes
from server.imports.divisions import import_divisions
from server.imports.gridcells import ANY_LAYOUT, GridRules
from server.imports.grids import import_grids
from server.imports.headings import UNMAPPED, Mapped, read_mapping
from server.imports.hints import OUR_FIELDS, Fields, Hints
from server.imports.queries import ground
from server.imports.registry import PLANNERS, TableFile, import_registry
from server.imports.report import ImportReport
from server.imports.shapes import read_features
from server.imports.writing import Options, Progress, silent
from server.migrations import migrate
from server.replication.submit import Console
from server.settings import Settings

LOGIN = "import"
KINDS = ("areas", "divisions", "grids", "dwellings", "households", "residents", "classes")
AT_ONCE = 500
"""Rows of the registry in a transaction; nobody else waits for this process."""
YOUNG_MAX = 50_000
FIELD_NAMES = ("code", "name", "community")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """One call of the command.

    `crs`, `encoding`, `layer` and `fields` are for a vector file that does not say them, see
    `hints.Hints`; `layout` is the layout of grid codes, `any` to accept every code; `repair`
    asks for invalid polygons to be repaired.
    `mapping` is a file that says which column of a table is which field.
    """

    kind: str
    path: Path
    crs: str | None = None
    encoding: str | None = None
    layer: str | None = None
    fields: Fields = OUR_FIELDS
    layout: str = UNIT_GRID.name
    mapping: Path | None = None
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
    if request.kind == "classes":
        return await import_classes(store, request.path, options)
    if request.kind in PLANNERS:
        return await _import_table(store, request, options)
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


async def _import_table(store: Store, request: ImportRequest, options: Options) -> ImportReport:
    try:
        mapped = UNMAPPED if request.mapping is None else _mapping(request.mapping)
        content = await asyncio.to_thread(read_limited, request.path)
    except FileFault as fault:
        report = ImportReport(kind=request.kind, dry_run=request.dry_run)
        report.refuse(0, "", fault.reason, fault.proposal)
        return report
    options = replace(options, at_once=AT_ONCE)
    file = TableFile(kind=request.kind, content=content, mapped=mapped)
    return await import_registry(store, file, options)


def _mapping(path: Path) -> Mapped:
    return read_mapping(read_limited(path), toml=path.suffix.lower() == ".toml")


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


def import_command(
    database: str, request: ImportRequest, *, report_to: Path | None = None
) -> None:
    """Import a file for the command line: print the report, exit with 1 if rows are refused."""
    report = run_import(database, request)
    for line in report.lines():
        typer.echo(line)
    if report_to is not None:
        report.write_faults(report_to)
    if not report.ok:
        raise typer.Exit(1)


@contextmanager
def rarely_collected() -> Iterator[None]:
    """Let the collector of cycles look seldom: rows make none, and it walks over them all."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


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

    with rarely_collected():
        return asyncio.run(once())
