"""Make the copy that answers a request, and give it out while it is there."""

from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection

from server.archive.queries import present_in
from server.areas.queries import scope_of
from server.consolewrites import Asking
from server.problems import Forbidden, NotFound
from server.subjects import queries
from server.subjects.commands import Done, step, worked_on
from server.subjects.copying import Copied, copy_of
from server.subjects.queries import DbRow
from server.subjects.reading import standing, the_request
from server.subjects.rules import DAY_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A copy as it is given out, and the record it is about."""

    body: bytes
    record: str


def make_copy(db: Connection, asking: Asking, request_id: str, *, rev: int, days: int) -> DbRow:
    """Make the copy of a request anew, to be fetched for `days`.

    Raises:
        NotFound, PreconditionFailed, Forbidden, TransitionRefused: see `worked_on`.
        NotFound: if the person is not in scope any more, or was erased.
    """
    row = worked_on(db, asking, request_id, rev=rev, wanted="access")
    record = standing(db, row)
    scope = scope_of(db, asking.principal, asking.now_ms)
    if present_in(db, scope, record) is None:
        raise NotFound
    made: Copied = copy_of(db, scope, row.about, record, now_ms=asking.now_ms)
    queries.keep_copy(
        db,
        {
            "request_id": row.id,
            "made_ms": asking.now_ms,
            "expires_ms": asking.now_ms + days * DAY_MS,
            "sha256": sha256(made.body).hexdigest(),
            "body": made.body,
        },
    )
    return step(db, asking, row, Done(act="copied", record=record))


def fetch_copy(db: Connection, asking: Asking, request_id: str) -> Given:
    """Return the copy of a request to whoever works on it.

    Raises:
        NotFound: if the request is not in scope, or there is no copy, or it has expired.
        Forbidden: if somebody else works on it.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    row = the_request(db, scope, asking.principal, request_id)
    if row.handler != asking.principal.account:
        raise Forbidden("Only who works on the request fetches its copy.")
    found = queries.copy_of(db, request_id, now_ms=asking.now_ms)
    if found is None:
        raise NotFound
    return Given(body=bytes(found.body), record=row.record_id)
