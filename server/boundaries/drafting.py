"""Draw up, replace and discard a draft. The work of one transaction: it raises to roll back."""

import json
from typing import Any

from sqlalchemy import Connection

from server.areas.queries import scope_of
from server.boundaries import queries
from server.boundaries.drawing import Drawn, Shapes, drawn
from server.boundaries.queries import AnyRow
from server.boundaries.reading import change_body, the_change
from server.boundaries.schemas import ChangeBody, ChangeDraft
from server.clock import new_id
from server.consolewrites import Asking
from server.problems import PreconditionFailed, TransitionRefused
from sync.outcome import Code


def draw(db: Connection, asking: Asking, body: ChangeDraft, shapes: Shapes) -> ChangeBody:
    """Store a new draft.

    Raises:
        InvalidBody: see `drawing.drawn`.
    """
    change_id = new_id()
    now = asking.now_ms
    row = _columns(asking, body, _looked_up(db, asking, body, shapes)) | {
        "id": change_id,
        "rev": 1,
        "state": "draft",
        "created_ms": now,
    }
    queries.add_change(db, row)
    return _again(db, asking, change_id)


def draw_once(db: Connection, asking: Asking, body: ChangeDraft, shapes: Shapes) -> ChangeBody:
    """Like `draw`, but answer with the caller's own draft that says the same, if there is one.

    Raises:
        InvalidBody: see `drawing.drawn`.
    """
    wanted = _columns(asking, body, _looked_up(db, asking, body, shapes))
    same = queries.same_draft(db, wanted)
    return draw(db, asking, body, shapes) if same is None else _again(db, asking, same)


def redraw(
    db: Connection,
    asking: Asking,
    change_id: str,
    body: ChangeDraft,
    *,
    shapes: Shapes,
    rev: int,
) -> ChangeBody:
    """Replace what a draft at `rev` wants; it stands on the boundaries in force now.

    Raises:
        NotFound, PreconditionFailed, TransitionRefused, InvalidBody.
    """
    the_draft(db, asking, change_id, rev=rev)
    wanted = _looked_up(db, asking, body, shapes)
    queries.save_change(db, change_id, _columns(asking, body, wanted))
    return _again(db, asking, change_id)


def discard(db: Connection, asking: Asking, change_id: str, *, rev: int) -> ChangeBody:
    """Put a draft at `rev` away for good; it stays in the list of those discarded.

    Raises:
        NotFound, PreconditionFailed, TransitionRefused.
    """
    the_draft(db, asking, change_id, rev=rev)
    values = {"state": "discarded", "updated_ms": asking.now_ms}
    queries.save_change(db, change_id, values)
    return _again(db, asking, change_id)


def the_draft(db: Connection, asking: Asking, change_id: str, *, rev: int) -> AnyRow:
    """A draft in the caller's area that stands at `rev`, locked.

    Raises:
        NotFound: if there is no such change in the caller's area.
        TransitionRefused: if it was published or discarded.
        PreconditionFailed: if it changed since.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    row = the_change(db, scope, change_id, locked=True)
    require_draft(row, rev=rev)
    return row


def require_draft(row: AnyRow, *, rev: int) -> None:
    """Raise as `the_draft` does unless a change is a draft that stands at `rev`."""
    if row.state != "draft":
        raise TransitionRefused(code=Code.WRONG_STATE.value)
    if row.rev != rev:
        raise PreconditionFailed(current_rev=row.rev)


def _looked_up(db: Connection, asking: Asking, body: ChangeDraft, shapes: Shapes) -> Drawn:
    scope = scope_of(db, asking.principal, asking.now_ms)
    return drawn(db, scope, body, shapes)


def _columns(asking: Asking, body: ChangeDraft, wanted: Drawn) -> dict[str, Any]:
    return {
        "area_id": wanted.area_id,
        "area_no": wanted.area_no,
        "reason": body.reason,
        "content": wanted.content.as_json(),
        "base": json.dumps(wanted.base, sort_keys=True),
        "drawn_by": asking.principal.account,
        "updated_ms": asking.now_ms,
    }


def _again(db: Connection, asking: Asking, change_id: str) -> ChangeBody:
    scope = scope_of(db, asking.principal, asking.now_ms)
    return change_body(the_change(db, scope, change_id))
