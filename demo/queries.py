"""What the demo asks the store directly, in plain SQL that shares nothing with the server's.

The checks of the promises must not trust the code they check, so they read the tables by
themselves; both databases understand every statement here.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, inspect, text

MARK = "made by jingwei demo"
FOREIGN_TABLES = frozenset({"spatial_ref_sys"})
KINDS_BY_COUNT = "SELECT kind, count(*) FROM record GROUP BY kind ORDER BY kind"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One record: `truth` is the merged record, `body` the bytes a phone gets."""

    kind: str
    rev: int
    bucket: str
    body: bytes
    truth: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutated:
    """One mutation as the store has it; `pos` is its place in the log."""

    pos: int
    device: str
    n: int
    record: str
    kind: str
    outcome: str
    rev: int
    base: int
    at_ms: int
    quality: str
    body: bytes
    console: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenConflict:
    """A conflict that waits for a person."""

    record: str
    kind: str
    field: str
    choices: str
    live: str


def has_tables(db: Connection) -> bool:
    """Say whether there is anything in the database besides what PostGIS brings."""
    return not set(inspect(db).get_table_names()) <= FOREIGN_TABLES


def is_marked(db: Connection) -> bool:
    """Say whether an earlier run of the demo made this store."""
    if not inspect(db).has_table("counter"):
        return False
    found = db.execute(text("SELECT value FROM counter WHERE name = :name"), {"name": MARK})
    return found.scalar() is not None


def mark(db: Connection) -> None:
    """Note in the store that the demo made it, so that another run may replace it."""
    statement = text("INSERT INTO counter (name, value) VALUES (:name, 1)")
    db.execute(statement, {"name": MARK})


def records_by_kind(db: Connection) -> dict[str, int]:
    """How many records of each kind are stored."""
    return {row[0]: int(row[1]) for row in db.execute(text(KINDS_BY_COUNT))}


def records(db: Connection) -> dict[str, Stored]:
    """Every record by id."""
    rows = db.execute(text("SELECT id, kind, rev, bucket, body, truth FROM record"))
    return {
        str(row[0]): Stored(
            kind=row[1], rev=row[2], bucket=row[3], body=bytes(row[4]), truth=row[5]
        )
        for row in rows
    }


def mutations(db: Connection) -> list[Mutated]:
    """Every stored mutation, by device and n."""
    rows = db.execute(
        text(
            "SELECT device_id, n, record_id, kind, outcome, rev, base, at_ms, quality, body,"
            " device.console, pos"
            " FROM mutation JOIN device ON device.id = device_id ORDER BY device_id, n"
        )
    )
    return [
        Mutated(
            device=str(row[0]),
            n=int(row[1]),
            record=str(row[2]),
            kind=row[3],
            outcome=row[4],
            rev=row[5] or 0,
            base=row[6],
            at_ms=row[7],
            quality=row[8],
            body=bytes(row[9]),
            console=bool(row[10]),
            pos=row[11],
        )
        for row in rows
    ]


def conflicts_open(db: Connection) -> list[OpenConflict]:
    """Conflicts that wait for a person, by record and field."""
    rows = db.execute(
        text(
            "SELECT record_id, kind, field, choices, live FROM conflict"
            " WHERE status = 'open' ORDER BY kind, field, record_id"
        )
    )
    return [
        OpenConflict(record=str(row[0]), kind=row[1], field=row[2], choices=row[3], live=row[4])
        for row in rows
    ]
