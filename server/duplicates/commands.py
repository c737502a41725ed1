"""Remember that two records are not the same. The work of one transaction."""

from sqlalchemy import Connection

from server.archive.queries import record_in
from server.areas.queries import scope_of
from server.consolewrites import Asking
from server.duplicates import queries
from server.duplicates.schemas import Distinction
from server.problems import BodyError, InvalidBody


def distinguish(db: Connection, asking: Asking, body: Distinction) -> None:
    """Say of two records in scope that they are not the same; said again it changes nothing.

    Raises:
        InvalidBody: if one is not in scope, of another kind, or both are one.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    named = {"/first": body.first, "/second": body.second}
    found = {pointer: record_in(db, scope, each) for pointer, each in named.items()}
    faults = [
        BodyError(pointer=pointer, reason=f"must be a {body.kind} in your area")
        for pointer, row in found.items()
        if row is None or row.kind != body.kind
    ]
    if body.first == body.second:
        faults.append(BodyError(pointer="/second", reason="must be another one"))
    if faults:
        raise InvalidBody(errors=faults)
    first, second = sorted((body.first, body.second))
    row = {
        "first_id": first,
        "second_id": second,
        "kind": body.kind,
        "by_id": asking.principal.account,
        "at_ms": asking.now_ms,
    }
    queries.rule(db, row)
