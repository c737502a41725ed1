"""The `jingwei` command; other packages add to it through entry points `jingwei.commands`.

Results go to standard output, everything else to standard error, so that scripts can use both.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from sqlalchemy import Connection

from server import maintain as upkeep
from server import serve as serving
from server.accesslog_command import access_app
from server.app import VERSION, create_app
from server.clock import now_ms
from server.codes_command import codes_app
from server.db import failpoints
from server.db.postgres_store import UnsafeStore
from server.db.store import StoreBusy
from server.devices.listing import device_lines
from server.devices.rules import wanted_of
from server.doctor_command import doctor
from server.erasures import erasures_app
from server.explaining import explain
from server.files_command import export_layer, import_file
from server.identity import queries as accounts
from server.identity.principal import Role
from server.keys_command import check_keys, keys_app
from server.migrations import is_current
from server.migrations import migrate as migrate_store
from server.openapi import as_yaml
from server.privacy_command import privacy_app
from server.problems import Problem
from server.restoring import begin_again
from server.settings import Settings
from server.terminal import DATABASE_ENV, Database, fail, is_embedded, run_in_store

DAY_MS = 86_400_000

app = typer.Typer(
    name="jingwei",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="""Community grid management: grid polygons, a household registry, offline sync.

A first walk:

    jingwei migrate

    jingwei import areas areas.csv

    jingwei token create --login li --role dispatcher --area 4401

    jingwei serve --port 8000

Without `--database` everything is kept in `./var/jingwei.gpkg`, a file that QGIS can open.
Every option can also be given as an environment variable that starts with `JINGWEI_`.""",
)
token_app = typer.Typer(no_args_is_help=True, help="Make, list and revoke bearer tokens.")
app.add_typer(token_app, name="token")
media_app = typer.Typer(no_args_is_help=True, help="Look after stored photos and recordings.")
app.add_typer(media_app, name="media")
app.add_typer(erasures_app, name="erasures")
app.add_typer(keys_app, name="keys")
app.add_typer(codes_app, name="codes")
app.add_typer(privacy_app, name="privacy")
app.add_typer(access_app, name="access-log")
app.command("doctor")(doctor)
app.command("explain")(explain)
app.command("import")(import_file)
app.command("export")(export_layer)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer's way of callbacks
    if wanted:
        typer.echo(VERSION)
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="show the version"
        ),
    ] = False,
) -> None:
    """Take the options of the command itself."""
    del version


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="port to listen on")] = None,
    workers: Annotated[
        int | None, typer.Option(help="processes; above 1 needs PostgreSQL")
    ] = None,
    database: Database = "",
) -> None:
    """Answer requests until it is stopped.

    A new embedded store is made on the way; a PostgreSQL database has to be migrated first.

    Example: `jingwei serve --host 0.0.0.0 --port 8000 --database postgresql:///jingwei`
    """
    os.environ[DATABASE_ENV] = database
    given = {"host": host, "port": port, "workers": workers}
    settings = Settings().model_copy(
        update={name: value for name, value in given.items() if value is not None}
    )
    if is_embedded(database) and settings.workers > 1:
        raise fail("several workers need PostgreSQL; the embedded store has one writer")
    run_in_store(database, is_current)
    check_keys(database, settings)
    failpoints.arm(settings.failpoints, allowed=settings.allow_unsafe)
    uvicorn.run(**serving.options(settings))


@app.command()
def migrate(database: Database = "") -> None:
    """Create the store or bring it up to date. Safe to repeat.

    Example: `jingwei migrate --database postgresql:///jingwei`
    """
    migrate_store(database)
    typer.echo("the store is up to date", err=True)


@app.command()
def openapi(
    output: Annotated[
        Path | None, typer.Option(help="file to write; else standard output")
    ] = None,
) -> None:
    """Write the OpenAPI document as YAML; the same code always gives the same text.

    Example: `jingwei openapi --output openapi.yaml`
    """
    text = as_yaml(create_app(Settings.model_construct()).openapi())
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")


@app.command()
def maintain(
    database: Database = "",
    *,
    tombstone_days: Annotated[
        int | None, typer.Option(min=1, max=3_650, help="keep for so long what left a bucket")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="count, change nothing")] = False,
    rewrite: Annotated[
        bool, typer.Option("--rewrite", help="write tables anew; locks them meanwhile")
    ] = False,
) -> None:
    """Drop what no phone needs any more, in small steps beside a running server; once a day.

    Example: `jingwei maintain --dry-run`
    """
    settings = Settings()
    wanted = upkeep.Wanted(
        tombstone_days=tombstone_days or settings.tombstone_days,
        access_days=settings.access_days,
        dry_run=dry_run,
        rewrite=rewrite,
    )
    run_in_store(database, is_current)
    for line in asyncio.run(upkeep.maintain(database, settings, wanted)):
        typer.echo(line)


@app.command()
def restored(database: Database = "") -> None:
    """Say that this store was restored from a backup, once, before the server starts on it.

    Phones then offer again what they were told is stored and the backup may have lost.

    Example: `jingwei restored --database postgresql:///jingwei_restored`
    """
    incarnation, phones = run_in_store(database, lambda db: begin_again(db, now_ms=now_ms()))
    typer.echo(f"new incarnation {incarnation}; {phones} phones will offer their work again")


@app.command("devices")
def list_devices(
    *,
    area: Annotated[str, typer.Option(help="code of an area; empty: everywhere")] = "",
    silent_days: Annotated[int | None, typer.Option(min=1, max=3_650, help="at least")] = None,
    failing: Annotated[bool, typer.Option("--failing", help="work that did not count")] = False,
    offset_above_s: Annotated[int | None, typer.Option(min=0, max=10**9, help="clock")] = None,
    database: Database = "",
) -> None:
    """Say how phones are doing, as of their last contact: one line each, tab-separated.

    Example: `jingwei devices --silent-days 3`
    """
    failed, now = failing or None, now_ms()
    wanted = wanted_of(silent_days, offset_above_s, failing=failed, now_ms=now)
    for line in run_in_store(database, lambda db: device_lines(db, area or None, wanted)):
        typer.echo(line)


@token_app.command("create")
def create_token(
    login: Annotated[str, typer.Option(help="name of the account; made if it is new")],
    role: Annotated[Role, typer.Option(help="what the account may do")],
    area: Annotated[str, typer.Option(help="code of its area; empty: everywhere")] = "",
    *,
    expires_days: Annotated[int, typer.Option(min=0, help="0: until revoked")] = 0,
    database: Database = "",
) -> None:
    """Make a bearer token and print it, once: only its hash is kept.

    A new login becomes an account of that role and area. A worker is assigned to the area too.

    Example: `TOKEN=$(jingwei token create --login li --role worker --area 440106-07-012)`
    """
    now = now_ms()
    expires_ms = now + expires_days * DAY_MS if expires_days else None

    def work(db: Connection) -> str:
        account = accounts.account_for_token(
            db, login=login, role=role, area_code=area or None, now_ms=now
        )
        return accounts.create_token(db, account=account, now_ms=now, expires_ms=expires_ms)

    token = run_in_store(database, work)
    typer.echo("Send it as: Authorization: Bearer <token>", err=True)
    typer.echo(token)


@token_app.command("list")
def list_tokens(
    login: Annotated[str | None, typer.Option(help="only this account's")] = None,
    database: Database = "",
) -> None:
    """List tokens by the beginning of their hash, newest first.

    Example: `jingwei token list --login li`
    """
    for row in run_in_store(database, lambda db: accounts.list_tokens(db, login=login)):
        state = "revoked" if row["revoked_ms"] else "live"
        kind = "device" if row["device_id"] else "account"
        made = datetime.fromtimestamp(row["created_ms"] / 1000, UTC).isoformat()
        typer.echo(
            f"{row['hash'][:12]}  {state:7}  {kind:7}  {row['role']:10}  {made}  {row['login']}"
        )


@token_app.command("revoke")
def revoke_token(
    hash_prefix: Annotated[str, typer.Argument(min=8, help="from `jingwei token list`")],
    database: Database = "",
) -> None:
    """Revoke the tokens whose hash begins so; they stop working at once.

    Example: `jingwei token revoke 3f9c02aa71be`
    """
    if len(hash_prefix) < 8:
        raise fail("give at least 8 characters of the hash", code=2)
    now = now_ms()
    done = run_in_store(
        database, lambda db: accounts.revoke_tokens(db, hash_prefix=hash_prefix, now_ms=now)
    )
    typer.echo(f"revoked {done}", err=True)
    if not done:
        raise typer.Exit(1)


@media_app.command("collect")
def collect_media(database: Database = "") -> None:
    """Remove erased and unattached photos and abandoned uploads; `serve` does it every hour.

    Example: `jingwei media collect`
    """
    from server.media.command import collect_command  # noqa: PLC0415 - rarely used

    collect_command(database)


def add_commands() -> None:
    """Add what other packages registered under the entry points `jingwei.commands`."""
    known = {command.name for command in app.registered_commands}
    for point in entry_points(group="jingwei.commands"):
        if point.name in known:
            continue
        try:
            app.command(point.name)(point.load())
        except ImportError as error:
            typer.echo(f"jingwei: the command {point.name} cannot be loaded: {error}", err=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; what an operator can act on is one line, not a traceback."""
    add_commands()
    try:
        app(arguments)
    except Problem as problem:
        reason = problem.detail or problem.title
    except StoreBusy as busy:
        reason = f"the database is not available ({busy.reason})"
    except (UnsafeStore, failpoints.FailpointsRefused) as refused:
        reason = str(refused)
    else:
        return
    typer.echo(f"jingwei: {reason}", err=True)
    sys.exit(1)
