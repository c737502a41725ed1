"""`jingwei explain`: one record's whole history, a line a mutation."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer
from sqlalchemy import Connection

from server.history.reading import history_lines
from server.history.schemas import HistoryItem
from server.terminal import Database, fail, run_in_store
from sync.fields import is_id

CHUNK_ROWS = 500
LINES_MAX = 100_000


def explain(
    record: Annotated[str, typer.Argument(help="id of a record")],
    *,
    values: Annotated[
        bool, typer.Option("--values", help="also what was said, personal data included")
    ] = False,
    database: Database = "",
) -> None:
    """Say what happened to one record: who asked for what, when, and what became of it.

    Example: `jingwei explain 0197a1c0-5f00-7000-8000-000000000001`
    """
    if not is_id(record):
        raise fail("a record is named by its id, a UUID in lower case", code=2)
    lines = run_in_store(database, lambda db: list(_lines(db, record, values=values)))
    if not lines:
        raise fail("nothing in the log is about this record")
    for line in lines:
        typer.echo(line)


def _lines(db: Connection, record: str, *, values: bool) -> Iterator[str]:
    after, told = -1, 0
    while told < LINES_MAX:
        found = history_lines(
            db, record, after=after, limit=CHUNK_ROWS, values=values, reasons=values
        )
        if not found:
            return
        for pos, item in found:
            yield told_line(item)
            after = pos
        told += len(found)


def told_line(item: HistoryItem) -> str:
    """Return one mutation as a line of words for a person."""
    done = _time(item.at_ms) + ("" if item.quality == "exact" else f" ({item.quality})")
    where = "console" if item.console else f"phone {item.device[-12:]}"
    what = item.act or "change"
    about = f" [{', '.join(item.fields)}]" if item.fields else ""
    code = "" if item.code is None else f" {item.code}"
    field = "" if item.field is None else f" {item.field}"
    said = "" if item.asked is None else " " + json.dumps(item.asked, ensure_ascii=False)
    who = f"{item.login} ({where}, n {item.n}, received {_time(item.received_ms)})"
    became = f"{item.outcome}{code}{field}, rev {item.rev}"
    ended = "" if item.ended_at is None else f" of {item.ended_at}"
    why = "" if item.why is None else f" because: {json.dumps(item.why, ensure_ascii=False)}"
    return f"{done}  {who}  {what}{about} on rev {item.base} -> {became}{ended}{said}{why}"


def _time(instant_ms: int) -> str:
    return datetime.fromtimestamp(instant_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
