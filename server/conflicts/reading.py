"""From rows of conflicts to wire bodies."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from server.areas.scope import Scope
from server.conflicts.queries import ConflictRow, conflicts_in, owners_of
from server.conflicts.schemas import ChoiceBody, ConflictBody
from server.problems import NotFound


def _choice(choice: Mapping[str, Any], owners: Mapping[str, ConflictRow]) -> ChoiceBody:
    owner = owners.get(choice["device"])
    return ChoiceBody(
        value=choice["value"],
        by=None if owner is None else owner.login,
        role=None if owner is None else owner.role,
        device=choice["device"],
        at_ms=choice["at_ms"],
    )


def conflict_bodies(db: Connection, rows: Sequence[ConflictRow]) -> list[ConflictBody]:
    """Conflicts with their authors' names, in the order of `rows`."""
    choices = [json.loads(row.choices) for row in rows]
    devices = {each["device"] for one in choices for each in one}
    owners = owners_of(db, sorted(devices)) if devices else {}
    return [
        ConflictBody(
            id=row.id,
            record=row.record_id,
            rev=row.rev,
            kind=row.kind,
            field=row.field,
            status=row.status,
            values=[_choice(each, owners) for each in values],
            live=json.loads(row.live),
            opened_ms=row.opened_ms,
            closed_ms=row.closed_ms,
            closed_by=row.closed_by_login,
            chosen=None if row.chosen is None else json.loads(row.chosen),
        )
        for row, values in zip(rows, choices, strict=True)
    ]


def the_conflict(db: Connection, scope: Scope, conflict_id: str) -> ConflictBody:
    """One conflict in scope.

    Raises:
        NotFound: if there is none.
    """
    rows = conflicts_in(db, scope, equal={"id": conflict_id}, limit=1)
    if not rows:
        raise NotFound
    return conflict_bodies(db, rows)[0]


def conflict_page(
    db: Connection,
    scope: Scope,
    *,
    equal: dict[str, Any],
    after: tuple[int, str] | None,
    limit: int,
) -> list[ConflictBody]:
    """Conflicts whose columns equal `equal`, newest first."""
    rows = conflicts_in(db, scope, equal=equal, after=after, limit=limit)
    return conflict_bodies(db, rows)
