"""Who looks after a new grid at first: whoever looked after the ground it is made of."""

from sqlalchemy import Connection

from server.boundaries import queries
from server.boundaries.examining import Case
from server.db.store import touch
from server.identity.queries import refuse_overfull
from server.problems import InvalidBody, InvalidParameter
from sync.facts import user_bucket
from sync.ids import derived_id

LEAVING_MS = 30 * 86_400_000
"""How long an assignment to a closed grid goes on, so that phones hear of what left it."""


def inherit(db: Connection, case: Case, at_ms: int) -> int:
    """Assign the workers of closed grids to the new grids made of them; return how many.

    Nobody loses ground by a split or a merger until a person assigns anew. The assignment to
    the closed grid ends after `LEAVING_MS`. Who is assigned to the community holds the new
    grids anyway.

    Raises:
        InvalidBody: if a worker would hold more grids than a phone can.
    """
    heirs = {
        grid: [new.id for new in edit.gives if new.id not in case.grids]
        for edit in case.content.edits
        for grid in edit.takes
        if grid in case.proposal.closed
    }
    held = queries.direct_assignments(db, sorted(heirs), at_ms) if heirs else ()
    rows = {
        (each.account_id, grid): {
            "id": derived_id("heir", each.id, grid),
            "account_id": each.account_id,
            "area_id": grid,
            "valid_from_ms": at_ms,
            "valid_to_ms": each.valid_to_ms,
        }
        for each in held
        for grid in heirs[each.area_id]
    }
    if held:
        ids = [each.id for each in held]
        queries.end_assignments(db, ids, at_ms + LEAVING_MS)
    made = queries.add_assignments(db, list(rows.values()))
    accounts = sorted({account for account, _ in rows})
    for account in accounts:
        _refuse_too_many(db, account, at_ms)
    touch(db, {user_bucket(account) for account in accounts})
    return made


def _refuse_too_many(db: Connection, account: str, at_ms: int) -> None:
    try:
        refuse_overfull(db, account, at_ms)
    except InvalidParameter as refusal:
        reason = refusal.detail or "a worker would hold too many grids"
        raise InvalidBody.at("/edits", reason) from None
