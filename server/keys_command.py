"""`jingwei keys`: make district keys, change the one that seals, and see that all are there."""

import asyncio
import os
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from server.clock import new_id
from server.db.store import Store, open_store
from server.identifiers import key_queries, queries
from server.identifiers.rotating import rotate
from server.migrations import is_current
from server.sealed.keyring import new_key, read_keyring, wrapper_of, write_keyring
from server.sealed.problems import SealingUnavailable
from server.sealed.sealing import Keys, Sealing, open_sealing
from server.sealed.sources import FileSource
from server.sealed.suites import Tampered
from server.settings import Settings
from server.terminal import Database, fail, run_in_store

PAGE = 500
MISSING, DAMAGED = "missing from the vault", "damaged in the vault"

keys_app = typer.Typer(no_args_is_help=True, help="Look after the keys of sealed values.")


@keys_app.command("generate")
def generate(
    name: Annotated[str, typer.Argument(help="a new id: 1 to 40 of a-z, 0-9 and -")],
    suite: Annotated[Literal["intl", "gm"], typer.Option(help="gm: SM4 and SM3")] = "intl",
    file: Annotated[
        Path | None, typer.Option(help="keyring file to add it to, made if it is new")
    ] = None,
) -> None:
    """Make a district key. Without a file the keyring is printed, once.

    Example: `jingwei keys generate d2026 --file /etc/jingwei/keyring.json`
    """
    key = new_key(name, suite)
    if file is None:
        typer.echo(write_keyring([key]), nl=False)
        return
    before = list(FileSource(file).read().keys.values()) if file.exists() else []
    text = write_keyring([*before, key])
    read_keyring(text)
    _write_private(file, text)
    typer.echo(
        f"{len(before) + 1} keys; keep a copy of the file apart from all backups", err=True
    )


@keys_app.command("rotate")
def rotate_keys(
    to: Annotated[str, typer.Option(help="id of the key that seals from now on")],
    database: Database = "",
) -> None:
    """Let another district key seal and free what needs the others, beside a running server.

    Example: `jingwei keys rotate --to d2027`
    """
    sealing = _sealing()
    settings = Settings()
    run_in_store(database, is_current)

    async def work() -> tuple[str, bool]:
        store = open_store(database, allow_unsafe=settings.allow_unsafe)
        try:
            done = await rotate(store, sealing, to)
        finally:
            await store.close()
        gone = ", ".join(done.retired) or "none"
        line = f"{done.wrapped} data keys wrapped, {done.indexed} indexes made anew"
        return f"{line}, {done.left} left; keys not needed any more: {gone}", done.left == 0

    line, whole = asyncio.run(work())
    typer.echo(line)
    if not whole:
        raise typer.Exit(1)


@keys_app.command("check")
def check(database: Database = "") -> None:
    """Say whether every key that something depends on is there; exit code 1 if not.

    Example: `jingwei keys check`
    """
    sealing, settings = _sealing(), Settings()
    run_in_store(database, is_current)

    async def work() -> tuple[list[str], bool]:
        store = open_store(database, allow_unsafe=settings.allow_unsafe)
        try:
            return await _examined(store, sealing)
        finally:
            await store.close()

    found, whole = asyncio.run(work())
    for line in found:
        typer.echo(line)
    if not whole:
        raise typer.Exit(1)


def check_keys(database: str, settings: Settings) -> None:
    """Raise `SealingUnavailable` if this process could not open what its store has sealed."""
    sealing = open_sealing(settings)
    if sealing is not None:
        sealing.keys(run_in_store(database, key_queries.in_use))


def _sealing() -> Sealing:
    sealing = open_sealing(Settings())
    if sealing is None:
        raise fail("no identity numbers are kept: JINGWEI_SEALED_PURPOSES is empty")
    return sealing


async def _examined(store: Store, sealing: Sealing) -> tuple[list[str], bool]:
    in_use = await store.read(key_queries.in_use)
    keys = sealing.keys(in_use)
    indexed = await store.read(key_queries.indexed_by)
    wrapped, doomed = await _wrapped(store, sealing, keys)
    lines = []
    for key in keys.known:
        known = next((each for each in in_use if each.id == key.id), None)
        use = "not used" if known is None else "seals" if known.seals else "used"
        counted = f"{wrapped[key.id]} data keys, {indexed.get(key.id, 0)} indexes"
        lines.append(f"{key.id}\t{key.suite.name}\t{use}\t{counted}")
    faults = {name: wrapped[name] for name in (MISSING, DAMAGED) if wrapped[name]}
    lines += [f"data keys {name}: {count}" for name, count in faults.items()]
    lines.append(f"data keys waiting to be destroyed: {doomed}")
    return lines, not faults


async def _wrapped(store: Store, sealing: Sealing, keys: Keys) -> tuple[Counter[str], int]:
    """How many data keys each district key wraps, or what is wrong with them."""
    counted: Counter[str] = Counter()
    doomed = 0
    after: str | None = None
    while rows := await store.read(partial(queries.data_keys, after=after, limit=PAGE)):
        for row in rows:
            doomed += row.doomed_ms is not None
            counted[_state(sealing, keys, row)] += 1
        after = str(rows[-1].id)
    return counted, doomed


def _state(sealing: Sealing, keys: Keys, row: queries.DbRow) -> str:
    wrapped = sealing.vault.read(str(row.id))
    if wrapped is None:
        return MISSING if row.used else "unused"
    try:
        sealing.open(keys, str(row.id))
        return wrapper_of(wrapped)
    except (SealingUnavailable, Tampered):
        return DAMAGED


def _write_private(file: Path, text: str) -> None:
    waiting = file.with_name(f".{file.name}.{new_id()}")
    handle = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    waiting.replace(file)
