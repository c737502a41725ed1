"""Merge one record into another. The work of one transaction: it raises to roll back."""

from collections import Counter

from sqlalchemy import Connection

from server.archive.queries import record_in
from server.areas.queries import scope_of
from server.consolewrites import Asking, write_draft
from server.merging.schemas import MergeBody, MergeRequest
from server.problems import InvalidBody, NotFound, PreconditionFailed, RecordMerged
from server.replication.alias_queries import alias_of
from server.replication.previewing import Preview, previewed
from server.replication.submit import Console, Draft, require_done
from sync.lifecycle import MERGE, acts_of
from sync.state import merged_into, open_conflicts


def merge(
    db: Connection, asking: Asking, record_id: str, request: MergeRequest, *, rev: int
) -> MergeBody:
    """Merge a record that stands at `rev` into another one, or say what that would do.

    A repeat of a merge that was done is answered like the first, whatever `rev` it names.

    Raises:
        NotFound: if it is not in scope, or of a kind that is not merged.
        InvalidBody: if the other one is not in scope, of another kind, or the record itself.
        RecordMerged: if a third record stands for it already.
        TransitionRefused: if one of the two is in a state that does not allow it.
        PreconditionFailed: if the record changed since.
        TooManyDependants: if too much belongs to it.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    found = record_in(db, scope, record_id)
    if found is None or MERGE not in acts_of(found.kind):
        raise NotFound
    if record_in(db, scope, request.into) is None:
        reason = "must be a record in your area"
        raise InvalidBody.at("/into", reason)
    into = alias_of(db, record_id)
    if into is not None:
        return _again(db, found.kind, record_id, request, rev=found.rev, into=into)
    if found.rev != rev:
        raise PreconditionFailed(current_rev=found.rev)
    draft = Draft(
        record=record_id,
        kind=found.kind,
        base=rev,
        act=MERGE,
        args={"into": request.into, "text": request.text},
        if_rev=rev,
    )
    console = Console(account=asking.principal.account, role=asking.principal.role.value)
    preview = previewed(db, console, draft, now_ms=asking.now_ms)
    require_done([preview.verdict])
    after = rev if request.dry_run else write_draft(db, asking, draft).rev
    return _told(preview, record_id, rev=after, dry_run=request.dry_run)


def _again(
    db: Connection, kind: str, record_id: str, request: MergeRequest, *, rev: int, into: str
) -> MergeBody:
    if into != (alias_of(db, request.into) or request.into):
        raise RecordMerged(into)
    return MergeBody(
        id=record_id,
        kind=kind,
        rev=rev,
        merged_into=into,
        dry_run=request.dry_run,
        conflicts=[],
        follow={},
    )


def _told(preview: Preview, record_id: str, *, rev: int, dry_run: bool) -> MergeBody:
    """What a merge does: which fields it contests, and what goes over to the survivor."""
    record = preview.after[record_id]
    survivor = merged_into(record) or record_id
    contested = {each.field for each in open_conflicts(preview.after[survivor])}
    known = {each.field for each in open_conflicts(preview.before[survivor])}
    follow = Counter(
        each.kind
        for key, each in preview.after.items()
        if key in preview.before and key not in {record_id, survivor}
    )
    return MergeBody(
        id=record_id,
        kind=record.kind,
        rev=rev,
        merged_into=survivor,
        dry_run=dry_run,
        conflicts=sorted(contested - known),
        follow=dict(sorted(follow.items())),
    )
