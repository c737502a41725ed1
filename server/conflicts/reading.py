"""From rows of conflicts to wire bodies."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from server.areas.scope import Scope
from server.conflicts.queries import ConflictRow, authors_of, conflicts_in
from server.conflicts.schemas import ChoiceBody, ConflictBody, FieldValue
from server.problems import NotFound
from sync.masking import shown


def _choices(
    row: ConflictRow, authors: Mapping[tuple[str, int], ConflictRow]
) -> list[ChoiceBody]:
    """All values, the earliest first."""
    live = json.loads(row.live)
    choices = []
    for choice in json.loads(row.choices):
        author = authors.get((choice["device"], choice["n"]))
        choices.append(
            ChoiceBody(
                value=choice["value"],
                by=None if author is None else author.login,
                role=None if author is None else author.role,
                device=choice["device"],
                at_ms=choice["at_ms"],
                live=choice["value"] == live,
            )
        )
    return choices


def conflict_bodies(db: Connection, rows: Sequence[ConflictRow]) -> list[ConflictBody]:
    """Conflicts with their authors' names, in the order of `rows`."""
    heads = {(each["device"], each["n"]) for row in rows for each in json.loads(row.choices)}
    authors = authors_of(db, heads) if heads else {}
    return [
        ConflictBody(
            id=row.id,
            record=row.record_id,
            rev=row.rev,
            kind=row.kind,
            field=row.field,
            status=row.status,
            values=_choices(row, authors),
            live=json.loads(row.live),
            opened_ms=row.opened_ms,
            closed_ms=row.closed_ms,
            closed_by=row.closed_by_login,
            chosen=None if row.chosen is None else json.loads(row.chosen),
            owner=row.owner_login,
            note=row.note,
        )
        for row in rows
    ]


def the_conflict(db: Connection, scope: Scope, conflict_id: str) -> ConflictBody:
    """One conflict in scope, nothing masked.

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
    """Conflicts whose columns equal `equal`, newest first, nothing masked."""
    rows = conflicts_in(db, scope, equal=equal, after=after, limit=limit)
    return conflict_bodies(db, rows)


def as_shown(found: ConflictBody) -> ConflictBody:
    """Return a conflict as it is shown, its values masked."""

    def covered(value: FieldValue) -> FieldValue:
        seen: FieldValue = shown(found.kind, found.field, value)
        return seen

    values = [each.model_copy(update={"value": covered(each.value)}) for each in found.values]
    masked = {"values": values, "live": covered(found.live), "chosen": covered(found.chosen)}
    return found.model_copy(update=masked)
