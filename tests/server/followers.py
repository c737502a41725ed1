"""A follower of the feed that keeps what pages say, and nothing else."""

from typing import Any

from sqlalchemy import Connection, select

from server.db.tables import RecordRow
from sync.canonical import digest_of
from tests.server.phones import RawPhone


class Follower:
    """What a phone holds after each reply, by bucket and record: id to hash."""

    def __init__(self, phone: RawPhone) -> None:
        self.phone = phone
        self.held: dict[str, dict[str, str]] = {}
        self.resets: list[str] = []

    async def sync(self, **members: Any) -> None:
        """Contact the server until it has nothing more, and check each finished bucket."""
        for _ in range(50):
            reply = await self.phone.sync(**members)
            for bucket in reply["scope"]["leave"]:
                self.held.pop(bucket, None)
            for page in reply["buckets"]:
                self._take(page)
            if not any(page["more"] for page in reply["buckets"]):
                return
        raise AssertionError("paging does not end")

    def _take(self, page: dict[str, Any]) -> None:
        if page["reset"]:
            self.resets.append(page["id"])
        if page["reset"] or page["from"] == 0:
            self.held[page["id"]] = {}
        here = self.held[page["id"]]
        here |= {item["record"]: item["hash"] for item in page["put"]}
        for each in page["gone"]:
            here.pop(each["record"], None)
        if not page["more"]:
            assert digest_of(here.values()) == page["digest"]
            assert len(here) == page["count"]


def feeds(db: Connection) -> dict[str, dict[str, str]]:
    """What phones should hold: bucket to record id to hash."""
    columns = RecordRow.__table__.c
    found: dict[str, dict[str, str]] = {}
    statement = select(columns.bucket, columns.id, columns.hash).where(columns.seq > 0)
    for row in db.execute(statement):
        found.setdefault(row.bucket, {})[row.id] = row.hash
    return found
