"""What every command of the command line shares: the store it works on, and how it fails."""

import asyncio
from collections.abc import Callable
from typing import Annotated, TypeVar

import typer
from sqlalchemy import Connection
from sqlalchemy.exc import ArgumentError

from server.db.store import normalised, open_store
from server.migrations import is_current
from server.migrations import migrate as migrate_store
from server.settings import Settings

DATABASE_ENV = "JINGWEI_DATABASE_URL"
T = TypeVar("T")


def _checked_url(url: str) -> str:
    try:
        normalised(url)
    except (ValueError, ArgumentError) as error:
        raise typer.BadParameter("must be postgresql://… or sqlite:///path") from error
    return url


def is_embedded(url: str) -> bool:
    """Say whether `url` names an embedded store, which is made and migrated on the way."""
    return normalised(url).get_backend_name() == "sqlite"


Database = Annotated[
    str,
    typer.Option(
        envvar=DATABASE_ENV,
        callback=_checked_url,
        help="postgresql://… or sqlite:///path; empty is ./var/jingwei.gpkg",
    ),
]


def fail(reason: str, *, code: int = 1) -> typer.Exit:
    """Say why on standard error and return the exception that ends the command."""
    typer.echo(f"jingwei: {reason}", err=True)
    return typer.Exit(code)


def run_in_store(database: str, work: Callable[[Connection], T]) -> T:
    """Run `work` in one transaction of the store and commit it; failures end the command."""
    settings = Settings()
    if is_embedded(database):
        migrate_store(database)

    async def once() -> T:
        store = open_store(database, allow_unsafe=settings.allow_unsafe)
        try:
            if not await store.read(is_current):
                raise fail("the database is not up to date; run: jingwei migrate")
            return await store.write(work)
        finally:
            await store.close()

    return asyncio.run(once())
