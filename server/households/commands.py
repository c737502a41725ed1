"""Creations and changes of the registry: check the scope, draft, write, read back.

Each function is the work of one transaction: it runs inside the store's write, and raises to
roll back.
"""

import json
from typing import Any

from sqlalchemy import Connection

from server.areas.queries import scope_of
from server.areas.scope import Scope
from server.clock import new_id
from server.consolewrites import Asking, create_record, write_draft
from server.households import drafts, queries
from server.households.reading import (
    household_fields,
    resident_body,
    resident_fields,
    the_household,
    the_resident,
    whole_household,
)
from server.households.schemas import (
    HouseholdCreate,
    HouseholdPatch,
    HouseholdWithResidents,
    ResidentBody,
    ResidentCreate,
    ResidentPatch,
)
from server.problems import AlreadyExists, InvalidBody, NotFound
from server.replication.submit import Draft


def create_household(
    db: Connection, asking: Asking, body: HouseholdCreate
) -> tuple[HouseholdWithResidents, bool]:
    """Create a household; True if it is new, False if the request repeats an earlier one.

    Raises:
        InvalidBody: if the dwelling is not in scope.
        AlreadyExists: if the id is taken by something else.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    if queries.dwelling_in(db, scope, body.dwelling) is None:
        reason = "must be a dwelling in your area"
        raise InvalidBody.at("/dwelling", reason)
    draft = drafts.new_household(body, body.id or new_id())
    made = _create(db, asking, draft, _stored_household(db, scope, draft.record))
    return whole_household(db, scope, draft.record), made


def change_household(
    db: Connection, asking: Asking, household_id: str, body: HouseholdPatch, *, rev: int
) -> HouseholdWithResidents:
    """Change a household that stands at `rev`.

    Raises:
        NotFound, PreconditionFailed, InvalidBody, NeedsPerson.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    row = the_household(db, scope, household_id)
    draft = drafts.changed_household(
        body, household_id, rev=rev, languages=json.loads(row.languages)
    )
    write_draft(db, asking, draft)
    return whole_household(db, scope, household_id)


def create_resident(
    db: Connection, asking: Asking, household_id: str, body: ResidentCreate
) -> tuple[ResidentBody, bool]:
    """Create a resident of a household; True if new, False if the request repeats.

    Raises:
        NotFound: if the household is not in scope.
        AlreadyExists: if the id is taken by something else.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    the_household(db, scope, household_id)
    draft = drafts.new_resident(body, body.id or new_id(), household_id)
    made = _create(db, asking, draft, _stored_resident(db, scope, draft.record))
    return resident_body(the_resident(db, scope, draft.record)), made


def change_resident(
    db: Connection, asking: Asking, resident_id: str, body: ResidentPatch, *, rev: int
) -> ResidentBody:
    """Change a resident who stands at `rev`.

    Raises:
        NotFound, PreconditionFailed, InvalidBody, NeedsPerson.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    the_resident(db, scope, resident_id)
    draft = drafts.changed_resident(body, resident_id, rev=rev)
    write_draft(db, asking, draft)
    return resident_body(the_resident(db, scope, resident_id))


def _create(
    db: Connection, asking: Asking, draft: Draft, stored: dict[str, Any] | None
) -> bool:
    if stored is None:
        create_record(db, asking, draft)
        return True
    if not drafts.repeats(draft, stored):
        raise AlreadyExists
    return False


def _stored_household(db: Connection, scope: Scope, household_id: str) -> dict[str, Any] | None:
    try:
        row = the_household(db, scope, household_id)
    except NotFound:
        return None
    return household_fields(row) | {"dwelling": row.dwelling_id}


def _stored_resident(db: Connection, scope: Scope, resident_id: str) -> dict[str, Any] | None:
    try:
        row = the_resident(db, scope, resident_id)
    except NotFound:
        return None
    return resident_fields(row)
