"""Keep one open conflict row for each contested field; close what nobody contests.

Which fields are contested follows from the record (`sync.state.open_conflicts`); the rows
exist so that people can list, own and resolve them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from server.replication import queries
from sync.ids import derived_id
from sync.record import Record
from sync.state import FieldConflict, open_conflicts


@dataclass(frozen=True, slots=True, kw_only=True)
class Contested:
    """One record after a change: its open conflicts, and whether it had any before."""

    record: Record
    before: Record | None
    state: Mapping[str, Any]
    area_no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Closer:
    """Who ends a conflict: a console resolves it, a phone's own author settles it."""

    account: str
    console: bool
    now_ms: int


def save_contests(db: Connection, changed: Sequence[Contested], closer: Closer) -> None:
    """Open, update and close the conflict rows of changed records."""
    found = {each.record.id: open_conflicts(each.record) for each in changed}
    had = any(each.before is not None and open_conflicts(each.before) for each in changed)
    if not had and not any(found.values()):
        return
    known = {
        (row.record_id, row.field): row.id
        for row in queries.open_conflict_rows(db, [each.record.id for each in changed])
    }
    rows = [
        _row(each, conflict, known.pop((each.record.id, conflict.field), None), closer.now_ms)
        for each in changed
        for conflict in found[each.record.id]
    ]
    if rows:
        queries.save_conflicts(db, rows)
    states = {each.record.id: each.state for each in changed}
    for (record_id, field), conflict_id in known.items():
        chosen = _json(states[record_id].get(field))
        queries.close_conflict(db, conflict_id, _closing(closer, chosen))


def _row(
    contested: Contested, conflict: FieldConflict, known_id: str | None, now_ms: int
) -> dict[str, Any]:
    record = contested.record
    return {
        "id": known_id or derived_id("conflict", record.id, conflict.field, record.rev),
        "record_id": record.id,
        "kind": record.kind,
        "field": conflict.field,
        "area_no": contested.area_no,
        "choices": _json([_choice(head) for head in conflict.values]),
        "live": _json(conflict.live),
        "status": "open",
        "opened_ms": now_ms,
    }


def _choice(head: Any) -> dict[str, Any]:
    return {"value": head.value, "device": head.device, "n": head.n, "at_ms": head.at_ms}


def _closing(closer: Closer, chosen: str) -> dict[str, Any]:
    return {
        "status": "resolved" if closer.console else "settled",
        "closed_ms": closer.now_ms,
        "closed_by": closer.account,
        "chosen": chosen,
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
