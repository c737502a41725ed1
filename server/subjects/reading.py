"""From rows of requests to wire bodies, and the lookups that several calls share."""

from collections.abc import Sequence

from sqlalchemy import Connection

from server.areas.queries import scope_of
from server.areas.scope import Scope
from server.consolewrites import Asking
from server.identity.principal import Principal, Role
from server.problems import Forbidden, NotFound, PreconditionFailed, TransitionRefused
from server.replication.alias_queries import alias_of
from server.subjects import queries
from server.subjects.queries import DbRow
from server.subjects.rules import Refused, is_overdue
from server.subjects.schemas import CopyBody, StepBody, SubjectBody, SubjectDetail


def request_body(row: DbRow, now_ms: int) -> SubjectBody:
    """One request of a list."""
    return SubjectBody(
        id=row.id,
        rev=row.rev,
        asked=row.asked,
        about=row.about,
        record=row.record_id,
        verified=row.verified,
        state=row.state,
        received_ms=row.received_ms,
        received_by=row.received_by,
        due_ms=row.due_ms,
        overdue=is_overdue(row.state, row.due_ms, now_ms),
        handler=row.handler,
        closed_ms=row.closed_ms,
        refusal=row.refusal,
    )


def _step(row: DbRow) -> StepBody:
    return StepBody(
        rev=row.rev,
        at_ms=row.at_ms,
        account=row.account_id,
        act=row.act,
        record=row.record_id,
        record_rev=row.record_rev,
    )


def request_detail(db: Connection, row: DbRow, now_ms: int) -> SubjectDetail:
    """One request with its steps, and with the copy that can be fetched."""
    times = queries.copy_times(db, row.id, now_ms=now_ms)
    copied = None
    if times is not None:
        copied = CopyBody(
            made_ms=times.made_ms, expires_ms=times.expires_ms, sha256=times.sha256
        )
    steps: Sequence[DbRow] = queries.steps_of(db, row.id)
    return SubjectDetail(
        **request_body(row, now_ms).model_dump(),
        steps=[_step(each) for each in steps],
        copied=copied,
    )


def own_only(principal: Principal) -> dict[str, str]:
    """Which requests an account may see besides its scope: a worker those it took in."""
    return {"received_by": principal.account} if principal.role is Role.WORKER else {}


def the_request(db: Connection, scope: Scope, principal: Principal, request_id: str) -> DbRow:
    """One request that an account may see.

    Raises:
        NotFound: if there is none.
    """
    row = queries.request_in(db, scope, request_id)
    if row is None or any(
        getattr(row, name) != value for name, value in own_only(principal).items()
    ):
        raise NotFound
    return row


def at_rev(db: Connection, asking: Asking, request_id: str, rev: int) -> DbRow:
    """One request in scope that stands at `rev`; nobody else goes on with it meanwhile.

    Raises:
        NotFound: if it is not in scope.
        PreconditionFailed: if somebody did something for it since.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    row = queries.request_in(db, scope, request_id, locked=True)
    if row is None:
        raise NotFound
    if row.rev != rev:
        raise PreconditionFailed(current_rev=row.rev)
    return row


def require_allowed(refused: Refused | None) -> None:
    """Raise `TransitionRefused` if there is a reason why something may not be done."""
    if refused is not None:
        raise TransitionRefused(code=refused.code)


def require_handler(row: DbRow, account: str) -> None:
    """Raise `Forbidden` if somebody else works on a request, or nobody does."""
    if row.handler is not None and row.handler != account:
        raise Forbidden("Somebody else works on this request; begin it to take it over.")


def standing(db: Connection, row: DbRow) -> str:
    """The record that a request is about, or the one that stands for it since a merge."""
    return alias_of(db, row.record_id) or str(row.record_id)
