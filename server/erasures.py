"""`jingwei erasures`: the list of what was erased, to be kept beside backups."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from server.clock import now_ms
from server.erasure import again, queries
from server.replication.consoles import Console
from server.terminal import Database, fail, run_in_store

LINES_MAX = 1_000_000
CHUNK = 100

erasures_app = typer.Typer(no_args_is_help=True, help="Keep what was erased gone.")


@erasures_app.command("list")
def list_erasures(database: Database = "") -> None:
    """Write the ids of everything that was erased, one a line. It names nobody.

    Example: `jingwei erasures list > erasures.tsv`
    """
    for line in run_in_store(database, lambda db: list(again.listed_lines(db))):
        typer.echo(line)


@erasures_app.command("apply")
def apply_erasures(
    file: Annotated[Path, typer.Argument(help="what `list` wrote, newer than the backup")],
    login: Annotated[str, typer.Option(help="the account that does it")],
    database: Database = "",
) -> None:
    """Erase again what an older backup brought back, before the server starts on it.

    Example: `jingwei erasures apply erasures.tsv --login li`
    """
    listed = _read(file)
    account = run_in_store(database, lambda db: queries.account_with(db, login))
    if account is None:
        raise fail("no account has this login")
    console = Console(account=account.id, role=account.role)
    done = 0
    for start in range(0, len(listed), CHUNK):
        chunk = listed[start : start + CHUNK]
        done += run_in_store(
            database, partial(again.erase_again, console=console, listed=chunk, now_ms=now_ms())
        )
    typer.echo(f"{len(listed)} listed, {done} erased again; run: jingwei maintain --rewrite")


def _read(file: Path) -> list[again.Listed]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise fail("the list cannot be read") from error
    if len(lines) > LINES_MAX:
        raise fail(f"the list has more than {LINES_MAX} lines")
    found: list[again.Listed] = []
    for number, line in enumerate(lines, start=1):
        each = again.read_line(line)
        if each is None:
            raise fail(f"line {number} is not a line of the list; nothing was erased")
        found.append(each)
    return found
