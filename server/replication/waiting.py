"""The queue of what waits for a ruling: filled by the write path, and emptied by it.

A mutation that is settled as `held` or `quarantined` gets a row in `held`; a console's ruling
about it (`sync.release`) changes that row in the same transaction as the records.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from server.db.bulk import Upsert
from server.replication import queries, waiting_queries
from server.replication.queries import DbRow
from sync.fields import is_id
from sync.kinds import KINDS
from sync.known import Author, Held, Interval, Settled
from sync.mutation import Malformed, Mutation, Quality
from sync.outcome import Code, Outcome
from sync.record import Record
from sync.release import REFUSE, is_ruling, released, ruling_of
from sync.wire_mutation import stored_mutation

_WAITS = frozenset({Outcome.HELD, Outcome.QUARANTINED})
_STILL = frozenset({Outcome.HELD, Outcome.INVALID})
_NOBODY: Mapping[str, tuple[Interval, ...]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """What a batch of rulings is about: one device's mutations, by the n of the ruling.

    `let_go` are the mutations as a release would let them go, `owners` whose work they are.
    """

    device: str | None = None
    rows: Mapping[int, DbRow] = field(default_factory=dict)
    waiting: Mapping[int, Mutation] = field(default_factory=dict)
    let_go: Mapping[int, Mutation] = field(default_factory=dict)
    owners: Mapping[int, tuple[Author, bool]] = field(default_factory=dict)

    def placed(self) -> list[Mutation]:
        """The mutations under the n of their rulings, for looking up where they lie."""
        return [replace(each, n=n) for n, each in self.let_go.items()]


def cited_by(
    db: Connection, author: Author, mutations: Iterable[Mutation | Malformed]
) -> Cited:
    """Load and lock what the rulings among a console's mutations are about; else nothing.

    The device is locked as well, so that it says nothing new about the records meanwhile.
    """
    acts = [
        each for each in mutations if isinstance(each, Mutation) and is_ruling(author, each)
    ]
    if not acts:
        return Cited()
    by_n = {ruling_of(each).n: each for each in acts}
    device = ruling_of(acts[0]).device
    queries.lock_device(db, device)
    rows = waiting_queries.cited_rows(db, device, sorted(by_n))
    named = {row.actor or row.account_id for row in rows} | {row.account_id for row in rows}
    accounts = waiting_queries.account_rows(db, sorted(named))
    waiting = {by_n[row.n].n: _read(row.body) for row in rows}
    return Cited(
        device=device,
        rows={by_n[row.n].n: row for row in rows},
        waiting=waiting,
        let_go={each.n: released(waiting[each.n], each) for each in acts if each.n in waiting},
        owners={by_n[row.n].n: _owner(row, accounts) for row in rows},
    )


def _read(body: bytes) -> Mutation:
    return stored_mutation(body)


def _owner(row: DbRow, accounts: Mapping[str, DbRow]) -> tuple[Author, bool]:
    """Whose work a row is, and whether that can be believed: an actor must be a worker."""
    account, believed = row.account_id, True
    if row.actor is not None and row.actor != row.account_id:
        actor = accounts.get(row.actor)
        believed = actor is not None and actor.active and actor.role == "worker"
        account = row.actor if believed else account
    author = Author(
        device=row.device_id,
        account=account,
        role=accounts[account].role,
        console=False,
        home_bucket=f"user:{account}",
    )
    return author, believed


def held_of(
    db: Connection,
    cited: Cited,
    authority: Mapping[str, Mapping[str, tuple[Interval, ...]]],
) -> dict[int, Held]:
    """What the rulings are about as the pure core sees it; `authority` is by account."""
    if not cited.rows:
        return {}
    later = _later(db, cited)
    return {
        n: Held(
            author=cited.owners[n][0],
            mutation=cited.waiting[n],
            at_ms=row.at_ms,
            quality=Quality(row.quality),
            authority=authority.get(cited.owners[n][0].account, _NOBODY),
            later=tuple(each for each in later.get(row.record_id, ()) if each.n > row.n),
            believed=cited.owners[n][1],
            waits=row.status == "open",
        )
        for n, row in cited.rows.items()
    }


def _later(db: Connection, cited: Cited) -> dict[str, list[Mutation]]:
    records = {row.record_id for row in cited.rows.values()}
    first = min(row.n for row in cited.rows.values())
    found: dict[str, list[Mutation]] = {}
    for row in waiting_queries.later_rows(db, cited.device or "", sorted(records), first):
        found.setdefault(row.record_id, []).append(_read(row.body))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What the queue is written from: who settled what, when, and the records known then."""

    device: str
    account: str
    console: bool
    now_ms: int
    mutations: Sequence[Mutation | Malformed]
    records: Mapping[str, Record]
    places: Mapping[str, int]
    cited: Cited


def queue_changes(db: Connection, desk: Desk, settled: Iterable[Settled]) -> Upsert:
    """The rows that begin to wait, and those that a ruling changed."""
    by_n = {each.n: each for each in desk.mutations}
    rows: list[dict[str, Any]] = []
    for each in settled:
        mutation = by_n[each.n]
        if not isinstance(mutation, Mutation):
            continue
        if each.n in desk.cited.rows:
            rows += _ruled(desk, desk.cited.rows[each.n], mutation, each)
        elif each.outcome in _WAITS and not desk.console:
            rows.append(_begun(desk, mutation, each))
    homeless = [row for row in rows if row["area_no"] is None]
    if homeless:
        home = queries.account_area_no(db, desk.account)
        for row in homeless:
            row["area_no"] = home
    return waiting_queries.waiting_replaced(rows)


def _begun(desk: Desk, mutation: Mutation, settled: Settled) -> dict[str, Any]:
    return {
        "device_id": desk.device,
        "n": settled.n,
        "record_id": settled.record,
        "kind": settled.kind,
        "account_id": desk.account,
        "actor": settled.actor,
        "area_no": _area_no(desk, mutation),
        "outcome": settled.outcome.value,
        "at_ms": settled.at_ms,
        "held_ms": desk.now_ms,
        "status": "open",
        "version": 1,
        **_obstacle(desk, mutation, settled, settled.base),
        **dict.fromkeys(("decided_ms", "decided_by", "why", "note", "became", "became_code")),
    }


def _obstacle(desk: Desk, mutation: Mutation, settled: Settled, counts: int) -> dict[str, Any]:
    """What stands in the way. A base from the future counts as what there was."""
    code = settled.code or Code.SERVER_FAULT
    return {
        "code": code.value,
        "field": settled.field,
        "rev": settled.rev,
        "base": min(counts, settled.rev) if code is Code.BASE_FROM_FUTURE else counts,
        "awaits": _awaited(desk, mutation, settled),
    }


def _awaited(desk: Desk, mutation: Mutation, settled: Settled) -> str | None:
    """The record that a mutation waits for, if it does not exist; not one that is hidden."""
    wanted: Any = None
    if settled.code is Code.UNKNOWN_RECORD:
        wanted = mutation.record
    elif settled.code is Code.UNKNOWN_PARENT and settled.field is not None:
        wanted = mutation.set.get(settled.field)
    return wanted if is_id(wanted) and wanted not in desk.records else None


def _area_no(desk: Desk, mutation: Mutation) -> int | None:
    """The area of the record or of what it would lie under; None leaves it to its author's."""
    kind = KINDS.get(mutation.kind)
    parents = () if kind is None else kind.parents
    named = [mutation.record, *filter(is_id, map(mutation.set.get, parents))]
    for each in named:
        record = desk.records.get(each or "")
        if record is not None and record.bucket in desk.places:
            return desk.places[record.bucket]
    return None


def _ruled(desk: Desk, row: DbRow, act: Mutation, settled: Settled) -> list[dict[str, Any]]:
    if row.status != "open":
        return []
    changed = {**waiting_queries.columns_of(row), "version": row.version + 1}
    if settled.outcome in _STILL:
        let_go = desk.cited.let_go[act.n]
        return [changed | _obstacle(desk, let_go, settled, row.base)]
    ruling = ruling_of(act)
    refused = act.act == REFUSE
    code = None if settled.code is None or refused else settled.code.value
    return [
        changed
        | {
            "awaits": None,
            "status": "refused" if refused else "released",
            "decided_ms": desk.now_ms,
            "decided_by": desk.account,
            "why": ruling.why.value,
            "note": ruling.text,
            "became": None if refused else settled.outcome.value,
            "became_code": code,
        }
    ]
