"""`jingwei demo`: build a store, simulate a working day, check the promises, keep serving."""

import json
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from demo.building import ANALYST, DISPATCHER, Crew, ImportFailedError, NotOursError
from demo.progress import Shown
from demo.run import SERVER_LOG, Prepared, Size, prepare, simulate, store_url
from demo.serving import ServerProcess, ServerSilentError
from demo.sources import DISTRICT_CODE
from demo.summary import Result, as_json, show
from demo.worker import StuckError
from server.db.postgres_store import UnsafeStore
from server.db.store import StoreBusy

DEVICES_MAX, HOUSEHOLDS_MAX = 100, 100_000
WIDTH_WITHOUT_TERMINAL = 100
BROKEN, FAILED = 1, 2
FAULTS = (
    NotOursError,
    ImportFailedError,
    StuckError,
    ServerSilentError,
    StoreBusy,
    UnsafeStore,
)
LON, LAT = 121.4981, 25.0298


def demo(  # noqa: PLR0913 - the options of one command
    *,
    database: Annotated[
        str,
        typer.Option(
            envvar="JINGWEI_DATABASE_URL",
            help="empty postgresql:// database or sqlite:///path; else a file in the directory",
        ),
    ] = "",
    directory: Annotated[
        Path, typer.Option(file_okay=False, help="where the store and the phones are kept")
    ] = Path("var"),
    devices: Annotated[int, typer.Option(min=1, max=DEVICES_MAX, help="phones")] = 24,
    households: Annotated[int, typer.Option(min=1, max=HOUSEHOLDS_MAX)] = 6_000,
    seed: Annotated[int, typer.Option(help="the same seed gives the same day")] = 7,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65_535, help="without it 8000 or, if taken, a free one; 0: a free one"
        ),
    ] = None,
    leave: Annotated[
        bool, typer.Option("--exit", help="end after the summary instead of serving on")
    ] = False,
    reset: Annotated[
        bool, typer.Option("--reset", help="replace an earlier demo in PostgreSQL")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", dir_okay=False, help="write the figures here")
    ] = None,
) -> None:
    """Simulate a working day on real grid polygons and made-up households, and check it.

    Phones enrol, work offline with wrong clocks and bad networks, edit the same records, and
    sync over real HTTP while a dispatcher works online. The exit code is 1 if a promise of the
    protocol broke. Afterwards the server keeps running for you to look at, until Ctrl-C.

    Example: `jingwei demo --exit --json demo.json`
    """
    out = Console() if Console().is_terminal else Console(width=WIDTH_WITHOUT_TERMINAL)
    size = Size(devices=devices, households=households, seed=seed)
    try:
        with ExitStack() as running:
            url = store_url(database, directory)
            with Shown(out) as progress:
                told = progress.told
                prepared = prepare(url, directory, size, reset=reset, told=told)
                server = running.enter_context(
                    ServerProcess(url, port=port, log=directory / SERVER_LOG)
                )
                result = simulate(prepared, server, told)
            _report(result, json_file, out)
            if not leave:
                _invite(prepared, server, out)
                _serve_on(server)
    except FAULTS as fault:
        typer.echo(f"jingwei demo: {fault}", err=True)
        raise typer.Exit(FAILED) from None
    if not result.kept:
        raise typer.Exit(BROKEN)


def _serve_on(server: ServerProcess) -> None:
    """Wait until somebody ends it; Ctrl-C is the expected way."""
    with suppress(KeyboardInterrupt):
        server.wait()


def _report(result: Result, json_file: Path | None, out: Console) -> None:
    show(result, out)
    if json_file is not None:
        json_file.write_text(json.dumps(as_json(result), indent=2) + "\n", encoding="utf-8")


def _invite(prepared: Prepared, server: ServerProcess, out: Console) -> None:
    """Print what to try. The tokens are of this throw-away store."""
    for line in invitation(prepared.access, server.url):
        out.print(line, soft_wrap=True, highlight=False, markup=False)


def invitation(access: Crew, url: str) -> list[str]:
    """Return the addresses to try and three commands to paste."""
    analyst, dispatcher = access.tokens[ANALYST], access.tokens[DISPATCHER]
    as_analyst = f"curl -s -H 'Authorization: Bearer {analyst}'"
    as_dispatcher = f"curl -s -H 'Authorization: Bearer {dispatcher}'"
    place = f"lon={LON}&lat={LAT}&accuracy_m=15"
    return [
        "",
        "Still serving; Ctrl-C ends it. Try:",
        f"  API reference   {url}/docs",
        f"  map             {url}/map#token={analyst}",
        f"  grid layer      {url}/v1/layers/grids  (GeoJSON, bearer token below)",
        "",
        f"{as_analyst} '{url}/v1/layers/grids?limit=3'",
        f"{as_dispatcher} '{url}/v1/incidents?area={DISTRICT_CODE}&state=closed&limit=3'",
        f"{as_dispatcher} '{url}/v1/locate?{place}'",
    ]
