"""`jingwei access-log`: seal what was noted, and verify that nothing was changed since."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from server.accesslog.sealing import VERIFYING_MS, anchors_in, seal_all, verify
from server.db.store import Store, open_store
from server.migrations import is_current
from server.settings import Settings
from server.terminal import Database, fail, run_in_store

T = TypeVar("T")

access_app = typer.Typer(no_args_is_help=True, help="Seal and verify the log of who read what.")
Anchor = Annotated[
    Path | None, typer.Option(dir_okay=False, help="file with the ends of the chain")
]


def _anchor_path(given: Path | None) -> Path | None:
    if given is not None:
        return given
    named = Settings().access_anchor
    return Path(named) if named else None


def _with_store(database: str, work: Callable[[Store], Awaitable[T]]) -> T:
    run_in_store(database, is_current)

    async def once() -> T:
        store = open_store(database, allow_unsafe=Settings().allow_unsafe)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(once())


@access_app.command("seal")
def seal(database: Database = "", *, anchor: Anchor = None) -> None:
    """Seal what was noted; `serve` does it every minute.

    Example: `jingwei access-log seal`
    """
    last = _with_store(database, lambda store: seal_all(store, _anchor_path(anchor)))
    typer.echo(f"sealed up to {last}" if last else "nothing to seal")


@access_app.command("verify")
def verify_log(database: Database = "", *, anchor: Anchor = None) -> None:
    """Walk along the chain and compare it with the anchor file; exit with 1 if it was changed.

    Example: `jingwei access-log verify --anchor /backup/access-anchor.log`
    """
    path = _anchor_path(anchor)
    try:
        marks = {} if path is None or not (anchor or path.exists()) else anchors_in(path)
    except (OSError, ValueError) as error:
        raise fail("the anchor file cannot be read") from error
    # In one snapshot: a server that seals meanwhile is no fault.
    found = _with_store(
        database,
        lambda store: store.read(partial(verify, anchors=marks), timeout_ms=VERIFYING_MS),
    )
    for fault in found.faults:
        typer.echo(f"BAD  {fault}")
    typer.echo(
        f"{found.entries} sealed entries, {found.anchors} anchors, "
        f"{found.unanchored} after the last, {found.unsealed} not sealed yet: "
        f"{'BAD' if found.faults else 'ok'}"
    )
    if found.faults:
        raise typer.Exit(1)
