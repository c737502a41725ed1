"""From a violated constraint to the problem a caller is told.

Both databases end in the same name: PostgreSQL reports constraints by name, SQLite reports
CHECKs by name and unique keys by their columns.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sqlalchemy import UniqueConstraint
from sqlalchemy.exc import IntegrityError

from server.db.tables import METADATA

FOREIGN_KEY: Final = "foreign-key"
PROBLEM_SLUGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "uq_account_login": "login-taken",
        "uq_area_code": "code-taken",
        "uq_area_lo": "code-taken",
        "uq_conflict_open": "contended",
        "uq_district_key_seals": "contended",
        "uq_mutation_device_id_n": "contended",
    }
)
_SQLITE_UNIQUE: Final = "UNIQUE constraint failed: "
_SQLITE_CHECK: Final = "CHECK constraint failed: "


def violated(error: IntegrityError) -> str | None:
    """Return the name of the constraint that `error` is about, None when it is not known.

    SQLite does not say which foreign key failed: the answer is then `FOREIGN_KEY`.
    """
    cause: BaseException | None = error.orig
    while cause is not None:
        name = getattr(cause, "constraint_name", None)
        if isinstance(name, str):
            return name
        cause = cause.__cause__
    return _from_sqlite(str(error.orig))


def problem_slug(error: IntegrityError) -> str | None:
    """Return the slug of the problem that tells of `error`, None if it is a defect of ours."""
    name = violated(error)
    return None if name is None else PROBLEM_SLUGS.get(name)


def _from_sqlite(message: str) -> str | None:
    if message.startswith(_SQLITE_CHECK):
        return message.removeprefix(_SQLITE_CHECK)
    if message.startswith(_SQLITE_UNIQUE):
        columns = message.removeprefix(_SQLITE_UNIQUE).split(", ")
        return _unique_name(columns)
    return FOREIGN_KEY if message.startswith("FOREIGN KEY") else None


def _unique_name(columns: list[str]) -> str | None:
    table_name = columns[0].partition(".")[0]
    names = [each.partition(".")[2] for each in columns]
    table = METADATA.tables.get(table_name)
    if table is None:
        return None
    if [each.name for each in table.primary_key.columns] == names:
        return f"pk_{table_name}"
    unique = (each for each in table.constraints if isinstance(each, UniqueConstraint))
    for constraint in unique:
        if [each.name for each in constraint.columns] == names:
            return f"uq_{table_name}_{'_'.join(names)}"
    for index in table.indexes:
        if index.unique and [each.name for each in index.columns] == names:
            return str(index.name)
    return None
