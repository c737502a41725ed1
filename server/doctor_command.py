"""`jingwei doctor`: examine a store, and rebuild what does not follow from its records."""

import asyncio
from typing import Annotated

import typer

from server import doctor as checks
from server.settings import Settings
from server.terminal import Database, fail


def doctor(
    database: Database = "",
    *,
    reproject: Annotated[
        bool, typer.Option("--reproject", help="compare every derived value with the truth")
    ] = False,
    refold: Annotated[
        bool, typer.Option("--refold", help="compare every record with the mutation log")
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="say what would be written to repair the store")
    ] = False,
    apply: Annotated[bool, typer.Option("--apply", help="with --rebuild: write it")] = False,
) -> None:
    """Examine the store and say what is wrong; the exit code is 1 if anything is.

    Example: `jingwei doctor --reproject --refold`
    """
    if apply and not rebuild:
        raise fail("--apply belongs to --rebuild", code=2)
    thorough = checks.Thorough(
        reproject=reproject,
        refold=refold,
        rebuild=rebuild,
        apply=apply,
        told=lambda line: typer.echo(line, err=True),
    )
    found = asyncio.run(checks.examine(database, Settings(), thorough))
    for each in found:
        typer.echo(f"{'ok  ' if each.ok else 'BAD '} {each.name}: {each.detail}")
    if not all(each.ok for each in found):
        raise typer.Exit(1)
