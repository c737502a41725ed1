"""Put a record away or bring it back. The work of one transaction: it raises to roll back."""

from sqlalchemy import Connection

from server.archive import queries
from server.archive.schemas import ShelvedBody
from server.areas.queries import scope_of
from server.consolewrites import Asking, write_draft
from server.problems import NotFound, RecordMerged
from server.replication.alias_queries import alias_of
from server.replication.submit import Draft
from sync.codec import decode_record
from sync.lifecycle import ARCHIVE, RESTORE, acts_of
from sync.state import is_archived


def shelve(
    db: Connection, asking: Asking, record_id: str, *, archived: bool, text: str, rev: int
) -> ShelvedBody:
    """Put away (`archived`) or bring back a record that stands at `rev`, with the reason.

    Raises:
        NotFound: if it is not in scope, or of a kind that is not put away.
        RecordMerged: if another record stands for it.
        TransitionRefused: if it is still being worked on.
        PreconditionFailed: if the record changed since.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    found = queries.record_in(db, scope, record_id)
    if found is None or ARCHIVE not in acts_of(found.kind):
        raise NotFound
    into = alias_of(db, record_id)
    if into is not None:
        raise RecordMerged(into)
    draft = Draft(
        record=record_id,
        kind=found.kind,
        base=rev,
        act=ARCHIVE if archived else RESTORE,
        args={"text": text},
        if_rev=rev,
    )
    write_draft(db, asking, draft)
    after = queries.record_in(db, scope, record_id)
    if after is None:
        raise NotFound
    record = decode_record(after.id, after.kind, after.bucket, after.rev, after.truth)
    return ShelvedBody(
        id=record.id, kind=record.kind, rev=record.rev, archived=is_archived(record)
    )
