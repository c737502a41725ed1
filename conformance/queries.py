"""What a certification asks the store directly: the truth a copy is held against."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from server.identity.queries import area_with_code, assign


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """One record as the server has it; `body` is the canonical JSON that a phone must hold.

    `fed` says whether phones of its bucket hold it.
    """

    kind: str
    rev: int
    bucket: str
    hash: str
    body: bytes
    fed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMutation:
    """One settled mutation of a device."""

    n: int
    record: str
    outcome: str
    code: str | None


def records(db: Connection) -> dict[str, StoredRecord]:
    """Every record by id."""
    rows = db.execute(text("SELECT id, kind, rev, bucket, hash, body, seq FROM record"))
    return {
        row[0]: StoredRecord(
            kind=row[1],
            rev=row[2],
            bucket=row[3],
            hash=row[4],
            body=bytes(row[5]),
            fed=row[6] > 0,
        )
        for row in rows
    }


def mutations(db: Connection, device: str) -> list[StoredMutation]:
    """What a device handed in, by n."""
    rows = db.execute(
        text(
            "SELECT n, record_id, outcome, code FROM mutation"
            " WHERE device_id = :device ORDER BY n"
        ),
        {"device": device},
    )
    return [
        StoredMutation(n=row[0], record=row[1], outcome=row[2], code=row[3]) for row in rows
    ]


def assign_area(db: Connection, account: str, code: str, since_ms: int) -> None:
    """Let an account answer for the area with this code."""
    area = area_with_code(db, code)
    assign(db, account=account, area=area.id, now_ms=since_ms)
