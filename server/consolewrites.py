"""How an endpoint writes: a draft through the one write path, or a problem and nothing."""

from dataclasses import dataclass

from fastapi import Response
from pydantic import BaseModel
from sqlalchemy import Connection

from server.identity.principal import Principal
from server.preconditions import etag_of
from server.problems import AlreadyExists
from server.replication.queries import record_revs
from server.replication.submit import Console, Draft, require_done, submit
from sync.push import Settled


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who writes, and when."""

    principal: Principal
    now_ms: int


def write_draft(db: Connection, asking: Asking, draft: Draft) -> Settled:
    """Decide and store one draft of the caller; a refused one raises and rolls back.

    Raises:
        PreconditionFailed: if `draft.if_rev` is not the record's revision.
        InvalidBody, TransitionRefused, NeedsPerson: if the rules refuse it.
    """
    console = Console(account=asking.principal.account, role=asking.principal.role.value)
    settled = submit(db, console, [draft], now_ms=asking.now_ms)
    require_done(settled)
    return settled[0]


def create_record(db: Connection, asking: Asking, draft: Draft) -> Settled:
    """Like `write_draft` for a record that must not exist yet.

    Raises:
        AlreadyExists: if somebody made a record with this id first.
    """
    if record_revs(db, [draft.record]):
        raise AlreadyExists
    settled = write_draft(db, asking, draft)
    if settled.rev != 1:
        # Somebody made it between our look and the lock: do not merge two creations.
        raise AlreadyExists
    return settled


def tagged(body: BaseModel, rev: int, *, made_at: str | None = None) -> Response:
    """Answer with a record and its ETag; `made_at` is the address of a record just made."""
    headers = {"etag": etag_of(rev)}
    if made_at is not None:
        headers["location"] = made_at
    return Response(
        body.model_dump_json(by_alias=True),
        200 if made_at is None else 201,
        headers,
        media_type="application/json",
    )
