"""What a measurement ran on, and how a measurement is printed."""

import json
import os
import platform
import sqlite3
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

_PACKAGES = ("fastapi", "uvicorn", "sqlalchemy", "asyncpg", "shapely", "pyogrio")


def describe() -> dict[str, Any]:
    """The machine and the versions that a figure depends on; no host name, no path."""
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(_memory_kib() / 2**20, 1),
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "packages": {name: version(name) for name in _PACKAGES},
    }


def emit(result: Mapping[str, Any]) -> None:
    """Print one measurement as one line of JSON, with the machine it was made on."""
    json.dump({**result, "machine": describe()}, sys.stdout, ensure_ascii=False)
    sys.stdout.write("\n")


def _memory_kib() -> int:
    facts = Path("/proc/meminfo")
    if not facts.exists():
        return 0
    return int(facts.read_text(encoding="ascii").split(None, 2)[1])
