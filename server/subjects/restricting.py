"""Let nobody use what is held about somebody who asked for that, and lift it again."""

from typing import Final

from sqlalchemy import Connection

from server.archive.queries import record_in
from server.areas.queries import scope_of
from server.consolewrites import Asking, write_draft
from server.problems import NotFound
from server.replication.submit import Draft
from server.subjects import queries
from server.subjects.commands import Done, step, worked_on
from server.subjects.queries import DbRow
from server.subjects.reading import at_rev, require_allowed, standing
from server.subjects.rules import may_lift
from sync.lifecycle import LIFT, RESTRICT

_WORDS: Final = {RESTRICT: "restricted", LIFT: "lifted"}


def restrict(db: Connection, asking: Asking, request_id: str, *, rev: int) -> DbRow:
    """Restrict what a request is about, with all that belongs to it.

    Raises:
        NotFound, PreconditionFailed, Forbidden, TransitionRefused: see `worked_on`.
        TooManyDependants: if too much belongs to it.
    """
    row = worked_on(db, asking, request_id, rev=rev, wanted="restriction")
    done = _acted(db, asking, row, RESTRICT)
    return step(db, asking, row, done)


def lift(db: Connection, asking: Asking, request_id: str, *, rev: int) -> DbRow:
    """End the restriction that a request led to; it may be closed meanwhile.

    Raises:
        NotFound, PreconditionFailed.
        TransitionRefused: if nothing is restricted for it.
        TooManyDependants: if too much belongs to it.
    """
    row = at_rev(db, asking, request_id, rev)
    acts = [each.act for each in queries.steps_of(db, request_id)]
    require_allowed(may_lift(row.asked, acts))
    done = _acted(db, asking, row, LIFT)
    return step(db, asking, row, done)


def _acted(db: Connection, asking: Asking, row: DbRow, act: str) -> Done:
    record = standing(db, row)
    scope = scope_of(db, asking.principal, asking.now_ms)
    found = record_in(db, scope, record)
    if found is None:
        raise NotFound
    draft = Draft(
        record=record, kind=found.kind, base=found.rev, act=act, args={"request": row.id}
    )
    settled = write_draft(db, asking, draft)
    return Done(act=_WORDS[act], record=record, record_rev=settled.rev)
