"""Search keys of the registry: what names, numbers, doors and addresses are looked for by."""

from collections.abc import Callable
from typing import Any, Final

from alembic import op
from sqlalchemy import text

from sync.searching import end_key, phone_key, search_key

revision = "0023"
down_revision = "0020"
branch_labels = None
depends_on = None

_ROWS: Final = 5_000
_KEYS: Final[dict[str, dict[str, tuple[str, Callable[[str | None], str | None]]]]] = {
    "dwelling": {
        "address_key": ("address", search_key),
        "address_end_key": ("address", end_key),
    },
    "household": {
        "door_key": ("door", search_key),
        "phone_key": ("contact_phone", phone_key),
    },
    "resident": {"name_key": ("name", search_key), "phone_key": ("phone", phone_key)},
}


def upgrade() -> None:
    db = op.get_bind()
    kind = 'TEXT COLLATE "C"' if db.dialect.name == "postgresql" else "TEXT"
    for table, keys in _KEYS.items():
        for key in keys:
            db.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {key} {kind}")
        _fill(table)
        for key in keys:
            name = f"ix_{table}_{key}_area_no"
            db.exec_driver_sql(f"CREATE INDEX {name} ON {table} ({key}, area_no)")


def downgrade() -> None:
    db = op.get_bind()
    for table, keys in _KEYS.items():
        for key in keys:
            db.exec_driver_sql(f"DROP INDEX ix_{table}_{key}_area_no")
            db.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {key}")


def _fill(table: str) -> None:
    """Give the rows there are their keys, some thousand at a time."""
    db, keys = op.get_bind(), _KEYS[table]
    columns = ", ".join(dict.fromkeys(column for column, _ in keys.values()))
    chosen = f"SELECT id, {columns} FROM {table}"  # noqa: S608 - constant text
    following = text(f"{chosen} WHERE id > :after ORDER BY id LIMIT {_ROWS}")
    first = text(f"{chosen} ORDER BY id LIMIT {_ROWS}")
    assigned = ", ".join(f"{key} = :{key}" for key in keys)
    written = text(f"UPDATE {table} SET {assigned} WHERE id = :id")  # noqa: S608
    rows: Any = db.execute(first).mappings().all()
    while rows:
        db.execute(
            written,
            [
                {"id": row["id"]}
                | {key: made(row[column]) for key, (column, made) in keys.items()}
                for row in rows
            ],
        )
        rows = db.execute(following, {"after": rows[-1]["id"]}).mappings().all()
