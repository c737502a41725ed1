"""Database addresses: which database, which driver, which file."""

import os
from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url

DEFAULT_PATH: Final = "var/jingwei.gpkg"


def normalised(url: str) -> URL:
    """Return `url` with the driver this product uses; empty means the default file.

    Raises:
        ValueError: if it names neither PostgreSQL nor a SQLite file.
    """
    parsed = make_url(url or f"sqlite:///{DEFAULT_PATH}")
    backend = parsed.get_backend_name()
    if backend in {"postgres", "postgresql"}:
        return parsed.set(drivername="postgresql+asyncpg")
    if backend != "sqlite" or parsed.database in {None, "", ":memory:"}:
        raise ValueError("the database must be postgresql://… or sqlite:///path-to-a-file")
    return parsed.set(drivername="sqlite+pysqlite", query={})


def sqlite_path(url: URL) -> Path:
    """Return the file a normalised SQLite `url` names."""
    return Path(os.fspath(url.database or DEFAULT_PATH))
