"""What every table says of its columns, for the data catalogue and its checks."""

from collections.abc import Iterator
from dataclasses import dataclass

from server.db.tables import METADATA, StoredRow
from sync.holding import Holding


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnHolding:
    """One column; `holding` is None where its table says nothing of it."""

    table: str
    column: str
    holding: Holding | None


def _rows(row: type[StoredRow]) -> Iterator[type[StoredRow]]:
    for child in row.__subclasses__():
        yield child
        yield from _rows(child)


def column_holdings() -> list[ColumnHolding]:
    """Return every column of the schema with what its table says of it, table by table."""
    said = {
        row.__table__.name: row.__held__.columns
        for row in _rows(StoredRow)
        if hasattr(row, "__table__") and hasattr(row, "__held__")
    }
    return [
        ColumnHolding(
            table=table.name,
            column=column.name,
            holding=said.get(table.name, {}).get(column.name),
        )
        for table in METADATA.tables.values()
        for column in table.columns
    ]


def superfluous() -> list[str]:
    """Return the names that a table says something of and does not have."""
    return [
        f"{row.__table__.name}.{name}"
        for row in _rows(StoredRow)
        if hasattr(row, "__table__") and hasattr(row, "__held__") and row.__held__.kind is None
        for name in row.__held__.columns
        if name not in row.__table__.columns
    ]
