"""The server's books compared with what the phones were told, and with their own history.

`lost`: a phone believes that n is settled, and its row or its effect is not there. `twice`: a
record was changed more often than the log has changes, or a worker's note is there although the
worker never wrote it. Beyond these the whole history is folded again (`sync.fold`) and every
derived value is derived again.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, select

from server.db.store import open_store
from server.db.tables import Account, Device, MutationRow, RecordRow
from server.replication.reproject import compare
from sync.codec import decode_record
from sync.fold import Entry, fold
from sync.known import Author
from sync.mutation import Mutation, Quality
from sync.outcome import Code, Outcome
from sync.record import Record
from sync.wire import decode_mutation
from tests.faults.crew import Hand
from tests.faults.report import Report

T = TypeVar("T")
KINDS = ("grid", "class", "dwelling", "household", "note")
"""The kinds that the hands' work touches, parents first."""
CHANGED = frozenset({Outcome.APPLIED, Outcome.MERGED, Outcome.CONFLICT})
_NO_CLOCK = {"clock": {"wall": "2026-01-01T00:00:00.000Z", "uptime_ms": 0, "boot": "console"}}
"""A console's mutation has none; the time it was judged to have is beside it in the log."""
WITHOUT_EFFECT = frozenset({Outcome.HELD, Outcome.QUARANTINED, Outcome.INVALID})


@dataclass(frozen=True, kw_only=True)
class Books:
    """All the server has written about the hands' work."""

    log: Sequence[Any]
    records: Mapping[str, Record]
    authors: Mapping[str, Author]
    differences: Sequence[str]


def in_store(url: str, work: Callable[[Connection], T]) -> T:
    """Run one reading transaction of the store at `url`."""

    async def run() -> T:
        store = open_store(url, allow_unsafe=True, pool=1)
        try:
            return await store.read(work, timeout_ms=60_000)
        finally:
            await store.close()

    return asyncio.run(run())


def read_books(db: Connection) -> Books:
    """Read everything, in one snapshot."""
    log = db.execute(select(*MutationRow.__table__.c)).all()
    rows = db.execute(select(*RecordRow.__table__.c)).all()
    people = select(Device.id, Device.console, Account.id, Account.role)
    joined = people.join(Account, Account.id == Device.account_id)
    return Books(
        log=log,
        records={
            row.id: decode_record(row.id, row.kind, row.bucket, row.rev, row.truth)
            for row in rows
        },
        authors={
            device: Author(
                device=device,
                account=account,
                role=role,
                console=console,
                home_bucket=f"user:{account}",
            )
            for device, console, account, role in db.execute(joined)
        },
        differences=[f"{each.kind} {each.what}" for each in compare(db)],
    )


def audit(report: Report, url: str, hands: Sequence[Hand]) -> None:
    """Add to `report` whatever the books of the store at `url` do not bear out."""
    books = in_store(url, read_books)
    for hand in hands:
        report.acknowledged += len(hand.acknowledged)
        report.lost += _lost(books, hand)
        report.twice += _invented(books, hand)
        report.bare_500s += hand.heard.bare_500s
        report.retries += hand.heard.broken
    surplus = _surplus(books).values()
    report.lost += sum(-each for each in surplus if each < 0)
    report.twice += sum(each for each in surplus if each > 0)
    for difference in books.differences:
        report.breach("derived", difference)
    _compare_with_history(report, books)


def _lost(books: Books, hand: Hand) -> int:
    """How many settled mutations of a phone the server does not know as it said."""
    known = {
        row.n: (row.outcome, row.code)
        for row in books.log
        if row.device_id == hand.phone.device
    }
    lost = 0
    for told in hand.acknowledged:
        same = known.get(told.n) == (told.outcome, told.code)
        there = told.outcome in WITHOUT_EFFECT or told.record in books.records
        lost += not (same and there)
    return lost


def _invented(books: Books, hand: Hand) -> int:
    device = hand.phone.device
    written = [row for row in books.log if row.device_id == device and row.kind == "note"]
    return len([row for row in written if row.record_id not in hand.notes])


def _surplus(books: Books) -> dict[str, int]:
    """By record: how many more revisions it has than the log has changes of it."""
    changes: dict[str, set[int]] = defaultdict(set)
    for row in books.log:
        if row.outcome in CHANGED and row.kind in KINDS:
            changes[row.record_id].add(row.rev)
    written = {key for key, each in books.records.items() if each.kind in KINDS}
    return {
        key: (books.records[key].rev if key in books.records else 0) - len(changes[key])
        for key in written | changes.keys()
    }


def _compare_with_history(report: Report, books: Books) -> None:
    """Fold the log again, parents first and each record by revision."""
    log = [row for row in books.log if row.kind in KINDS]
    log.sort(
        key=lambda row: (
            KINDS.index(row.kind),
            row.record_id,
            row.rev,
            row.outcome not in CHANGED,
            row.device_id,
            row.n,
        )
    )
    folded = fold(_entry(row, books.authors[row.device_id]) for row in log)
    for record_id, record in books.records.items():
        if record.kind in KINDS and folded.get(record_id) != record:
            report.breach("history", f"a {record.kind} is not what its history makes")
    for record_id in folded.keys() - books.records.keys():
        report.breach("history", f"a {folded[record_id].kind} of the history is not there")


def _entry(row: Any, author: Author) -> Entry:
    mutation = decode_mutation(_NO_CLOCK | json.loads(bytes(row.body)))
    if not isinstance(mutation, Mutation):
        raise TypeError("the log holds a body nobody can read")
    return Entry(
        author=author,
        mutation=mutation,
        at_ms=row.at_ms,
        quality=Quality(row.quality),
        outcome=Outcome(row.outcome),
        code=None if row.code is None else Code(row.code),
    )


def come_to_rest(report: Report, hands: Sequence[Hand]) -> None:
    """The network is good now: every phone must come to rest, or it is stuck.

    Two rounds, because a phone that came to rest first has not seen what others sent later.
    """
    resting = [hand for hand in hands if hand.settle()]
    resting = [hand for hand in resting if hand.settle()]
    report.stuck += len(hands) - len(resting)
