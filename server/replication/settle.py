"""A batch is settled, and with it whatever waited for the records it makes.

Whoever writes calls `settle`. When a record is made that an earlier mutation named, that one is
released in the same transaction, with its own author, base and time; a household may so bring
its residents, and those their notes. It never hurts the batch itself: what cannot be stored
goes back to waiting.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from server.clock import new_id
from server.problem_answers import log_fault
from server.replication import waiting_queries
from server.replication.apply import decide_and_store
from server.replication.consoles import Console, console_author, console_device
from server.replication.faults import is_about_content
from server.replication.gather import Batch
from server.replication.queries import DbRow
from sync.groups import GROUP_MAX
from sync.mutation import Mutation
from sync.push import Plan
from sync.release import RELEASE, Ruling, Why, ruling_args
from sync.wire_mutation import group_of, sealed

ARRIVED_MAX = 100
ROUNDS_MAX = 8
RULINGS_MAX = 100
FELLOWS_MAX = 500
Part = Sequence[tuple[DbRow, str | None]]


def settle(db: Connection, batch: Batch) -> Plan:
    """Decide and store one batch, see `settle_all`."""
    return settle_all(db, [batch])[0]


def settle_all(db: Connection, batches: Sequence[Batch]) -> list[Plan]:
    """Decide and store batches of different devices, then release what waited for them.

    At most `ARRIVED_MAX` in each of `ROUNDS_MAX` rounds: the next record that somebody waits
    for takes up what is left, and a person can always release it.
    """
    plans, arrived = decide_and_store(db, batches)
    _release_arrived(db, arrived, max(each.received_ms for each in batches))
    return plans


def release_waiting(db: Connection, rows: Iterable[DbRow], *, why: Why, now_ms: int) -> None:
    """Release rows of the queue, and what waited for the records that this makes."""
    _release_arrived(db, _release_rows(db, rows, why=why, now_ms=now_ms), now_ms)


def release_missed(db: Connection, *, now_ms: int, dry_run: bool) -> int:
    """Release up to `ARRIVED_MAX` that wait although their record exists; return their number.

    Two transactions that do not see each other may leave such a row behind: one begins to wait
    while the other makes the record. A row is tried once: what still stands in its way then is
    written on it, and it no longer waits for that record.
    """
    rows = waiting_queries.arrived_rows(db, limit=ARRIVED_MAX)
    if not dry_run:
        release_waiting(db, rows, why=Why.ARRIVED, now_ms=now_ms)
    return len(rows)


def _release_arrived(db: Connection, arrived: frozenset[str], now_ms: int) -> None:
    rounds = 0
    while arrived and rounds < ROUNDS_MAX:
        rounds += 1
        rows = waiting_queries.arrived_rows(db, limit=ARRIVED_MAX)
        arrived = _release_rows(db, rows, why=Why.ARRIVED, now_ms=now_ms)


def _release_rows(
    db: Connection, rows: Iterable[DbRow], *, why: Why, now_ms: int
) -> frozenset[str]:
    """Release rows of the queue in the name of their authors, a device at a time, by n.

    Returns the records made by it that something else was waiting for.
    """
    arrived: set[str] = set()
    for _, same in groupby(rows, key=lambda row: row.device_id):
        for part in parts_of(_with_fellows(db, list(same))):
            arrived |= _guarded(db, part, why=why, now_ms=now_ms)
    return frozenset(arrived)


def _with_fellows(db: Connection, rows: Sequence[DbRow]) -> list[DbRow]:
    """Rows of one device with what waits beside them in the same groups, by n."""
    named = {row.n: group_of(row.body) for row in rows}
    grouped = [n for n, name in named.items() if name is not None]
    if not grouped:
        return list(rows)
    near = waiting_queries.near_rows(
        db,
        rows[0].device_id,
        min(grouped) - GROUP_MAX,
        max(grouped) + GROUP_MAX,
        limit=FELLOWS_MAX,
    )
    fellows = [row for row in near if group_of(row.body) in {named[n] for n in grouped}]
    by_n = {row.n: row for row in (*rows, *fellows)}
    return [by_n[n] for n in sorted(by_n)]


def parts_of(rows: Iterable[Any]) -> list[list[tuple[Any, str | None]]]:
    """Rows of one device cut into parts of about `RULINGS_MAX`, no group cut.

    Beside each row stands a name for its group that was never used before, None without one:
    rulings about one group succeed together or not at all (docs/decisions, 0018).
    """
    made: list[list[tuple[Any, str | None]]] = []
    for name, members in groupby(rows, key=lambda row: group_of(row.body)):
        run = list(members)
        runs = [[each] for each in run] if name is None else [run]
        for each in runs:
            label = None if name is None else new_id()
            if not made or len(made[-1]) + len(each) > RULINGS_MAX:
                made.append([])
            made[-1].extend((row, label) for row in each)
    return made


def _guarded(db: Connection, part: Part, *, why: Why, now_ms: int) -> frozenset[str]:
    try:
        with db.begin_nested():
            return _release(db, part, why=why, now_ms=now_ms)
    except Exception as error:
        if not is_about_content(error):
            raise
        log_fault(error, "work that had waited")
        return frozenset()


def _release(db: Connection, part: Part, *, why: Why, now_ms: int) -> frozenset[str]:
    account = part[0][0].account_id
    console = Console(account=account, role=waiting_queries.role_of(db, account))
    device = console_device(db, console, now_ms)
    first = device.settled_through + 1
    batch = Batch(
        device=device,
        author=console_author(device.id, console),
        mutations=[
            sealed(replace(_ruling(row, first + place, why), group=label))
            for place, (row, label) in enumerate(part)
        ],
        send=None,
        received_ms=now_ms,
    )
    return decide_and_store(db, [batch])[1]


def _ruling(row: DbRow, n: int, why: Why) -> Mutation:
    """The console's mutation `n` that releases a row of the queue."""
    ruling = Ruling(device=row.device_id, n=row.n, why=why)
    return Mutation(
        n=n,
        record=row.record_id,
        kind=row.kind,
        base=row.base,
        body=b"",
        act=RELEASE,
        args=ruling_args(ruling),
    )
