"""From rows of the inbox to wire bodies."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection

from server.areas.scope import Scope
from server.consolewrites import Asking
from server.inbox.access import may_read_values
from server.inbox.queries import InboxRow, inbox_rows, taken_rows
from server.inbox.schemas import Copy, HeldBody, HeldSummary, Person
from server.problems import NotFound
from server.replication.doubting import Proposals, proposed_for
from sync.canonical import canonical
from sync.fields import is_name
from sync.masking import shown_within
from sync.outcome import Code

ORPHAN_AFTER_MS = 5 * 86_400_000
_CHANGES = (("set", "set"), ("add", "add to"), ("remove", "remove from"))


def _named(value: Any) -> list[str]:
    """The member names of a JSON object that could be names of fields; others hide text."""
    return sorted(filter(is_name, value)) if isinstance(value, dict) else []


def asked_for(body: Any) -> str:
    """What a mutation asks for, in words: names of acts and fields, never values."""
    kind = body.get("kind")
    act = body.get("act")
    if act is not None:
        said = [act, *_phrases(body, (("args", "with"),))]
    else:
        said = ["new" if body.get("base") == 0 else "change", *_phrases(body, _CHANGES)]
    return f"{kind}: {'; '.join(said)}"


def _phrases(body: Any, members: Iterable[tuple[str, str]]) -> Iterator[str]:
    for member, word in members:
        names = _named(body.get(member))
        if names:
            yield f"{word} {', '.join(names)}"


def proposals(db: Connection, rows: Sequence[InboxRow]) -> Proposals:
    """By device and n, the datum that open rows with a doubtful position seem to be in."""
    doubted = {
        (row.device_id, row.n): (row.actor or row.account_id, row.body)
        for row in rows
        if row.status == "open" and row.code == Code.DOUBTFUL_DATUM
    }
    return proposed_for(db, doubted) if doubted else {}


def _members(row: InboxRow, proposed: Proposals, now_ms: int) -> dict[str, Any]:
    actor = None if row.actor is None else Person(id=row.actor, login=row.actor_login)
    waits = row.status == "open" and row.awaits is not None and not row.arrived
    return {
        "device": row.device_id,
        "n": row.n,
        "record": row.record_id,
        "kind": row.kind,
        "account": Person(id=row.account_id, login=row.owner_login),
        "actor": actor,
        "area": row.area_code,
        "outcome": row.outcome,
        "code": row.code,
        "field": row.field,
        "summary": asked_for(json.loads(row.body)),
        "at_ms": row.at_ms,
        "quality": row.quality,
        "held_ms": row.held_ms,
        "before_loss": None if row.lost_at_ms is None else row.at_ms < row.lost_at_ms,
        "arrived": row.status == "open" and bool(row.arrived),
        "orphan": waits and row.held_ms + ORPHAN_AFTER_MS <= now_ms,
        "status": row.status,
        "proposed_datum": proposed.get((row.device_id, row.n)),
        "version": row.version,
        "decided_ms": row.decided_ms,
        "decided_by": row.decided_by_login,
        "why": row.why,
        "note": row.note,
        "became": row.became,
        "became_code": row.became_code,
    }


def summaries_of(db: Connection, rows: Sequence[InboxRow], now_ms: int) -> list[HeldSummary]:
    """Rows without what they say."""
    proposed = proposals(db, rows)
    return [HeldSummary(**_members(row, proposed, now_ms)) for row in rows]


def the_row(db: Connection, scope: Scope, device: str, n: int) -> InboxRow:
    """One mutation in scope.

    Raises:
        NotFound: if there is none.
    """
    rows = inbox_rows(db, scope, equal={"device_id": device, "n": n}, limit=1)
    if not rows:
        raise NotFound
    return rows[0]


def the_held(db: Connection, scope: Scope, asking: Asking, key: tuple[str, int]) -> HeldBody:
    """One mutation in scope, with what it says if the caller may read that.

    Raises:
        NotFound: if there is none.
    """
    row = the_row(db, scope, *key)
    return HeldBody(
        **_members(row, proposals(db, [row]), asking.now_ms),
        body=_said(row) if may_read_values(asking.principal) else None,
        sent_again=copies_of(db, [row]).get(row.n) if row.status == "open" else None,
    )


def _said(row: InboxRow) -> Any:
    """What was received, masked."""
    return shown_within(row.kind, json.loads(row.body))


def copies_of(db: Connection, rows: Sequence[InboxRow]) -> dict[int, Copy]:
    """By n, the copy of one device's work that the same account sent again and had taken.

    A phone whose identity was in doubt numbers its work anew under another id; everything but
    the number is the same (docs/decisions, 0012).
    """
    records = {row.record_id for row in rows if row.record_id is not None}
    if not records:
        return {}
    first = rows[0]
    taken = {
        _content(each.body): Copy(device=each.device_id, n=each.n)
        for each in taken_rows(db, first.account_id, first.device_id, sorted(records))
    }
    found = {row.n: taken.get(_content(row.body)) for row in rows}
    return {n: each for n, each in found.items() if each is not None}


def _content(body: bytes) -> bytes:
    return canonical({name: each for name, each in json.loads(body).items() if name != "n"})
