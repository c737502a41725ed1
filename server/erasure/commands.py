"""Erase a record with all below it. The work of one transaction: it raises to roll back."""

from collections import Counter

from sqlalchemy import Connection

from server.areas.queries import scope_of
from server.consolewrites import Asking, write_draft
from server.erasure import queries
from server.erasure.forgetting import forget, would_forget
from server.erasure.schemas import ErasureBody, ErasureRequest
from server.problems import NotFound, PreconditionFailed, RecordMerged
from server.replication.alias_queries import alias_of
from server.replication.dependants import ids_below
from server.replication.submit import Draft
from sync.lifecycle import ERASE, acts_of


def erase(
    db: Connection, asking: Asking, record_id: str, request: ErasureRequest, *, rev: int
) -> ErasureBody:
    """Erase a record that stands at `rev`, or count what that would take.

    Raises:
        NotFound: if it is not in scope, or of a kind that says nothing of people.
        RecordMerged: if another record stands for it: erasing that erases both.
        PreconditionFailed: if the record changed since.
        TooManyDependants: if too much belongs to it.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    found = queries.record_in(db, scope, record_id)
    if found is None or ERASE not in acts_of(found.kind):
        raise NotFound
    into = alias_of(db, record_id)
    if into is not None:
        raise RecordMerged(into)
    if found.rev != rev:
        raise PreconditionFailed(current_rev=found.rev)
    ids = ids_below(db, [record_id]) | {record_id}
    kinds = Counter(row.kind for row in queries.records_among(db, sorted(ids)))
    after = rev
    if request.dry_run:
        counted = would_forget(db, sorted(ids))
    else:
        args = {"reason": request.reason}
        draft = Draft(
            record=record_id, kind=found.kind, base=rev, act=ERASE, args=args, if_rev=rev
        )
        after = write_draft(db, asking, draft).rev
        counted = forget(db, ids, reason=request.reason, now_ms=asking.now_ms)
    return ErasureBody(
        id=record_id,
        kind=found.kind,
        rev=after,
        dry_run=request.dry_run,
        records=dict(sorted(kinds.items())),
        mutations=counted.mutations,
        conflicts=counted.conflicts,
        photos=counted.photos,
    )
