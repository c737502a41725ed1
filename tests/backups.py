"""Backups made and restored the way the how-to says, of either database."""

import sqlite3
import subprocess
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

from tests import services


def backed_up(url: str, folder: Path, postgres: services.Postgres | None) -> str:
    """A backup made the way the how-to says, as the address of a new store."""
    if postgres is None:
        path = folder / "backup.gpkg"
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as db:
            db.execute("VACUUM INTO ?", [str(path)])
        return f"sqlite:///{path}"
    made, programs = f"restored_{uuid.uuid4().hex[:12]}", services.postgres_programs()
    dump, there = folder / "jingwei.dump", postgres.create(made)
    restorer = postgres.url(made, user="postgres")
    steps: list[list[Any]] = [
        [programs / "pg_dump", "--format=custom", f"--file={dump}", services.for_backup(url)],
        [programs / "pg_restore", "--exit-on-error", f"--dbname={restorer}", dump],
    ]
    for step in steps:
        subprocess.run(step, env=services.environment(), check=True)
    return there


def dropped(url: str, postgres: services.Postgres | None) -> None:
    if postgres is not None:
        postgres.drop(url.partition("?")[0].rsplit("/", 1)[-1])
