"""From rows of the registry to wire bodies, and the lookups several calls share."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from server.areas.scope import Scope
from server.breakglass.sight import Broken, Sight
from server.households import queries
from server.households.problems import RecordRestricted
from server.households.queries import RegistryRow
from server.households.schemas import (
    DwellingBody,
    DwellingPlace,
    HouseholdBody,
    HouseholdWithResidents,
    ResidentBody,
    VisitBody,
)
from server.problems import NotFound
from server.replication.standing import refuse_merged
from sync.masking import shown


def dwelling_place(row: RegistryRow) -> DwellingPlace:
    """One dwelling of a list."""
    return DwellingPlace(
        id=row.id,
        code=row.code,
        address=row.address,
        grid=row.grid_id,
        lon=row.geom.x,
        lat=row.geom.y,
    )


def household_fields(row: RegistryRow) -> dict[str, Any]:
    """The members of a household's body, nothing masked."""
    dwelling = None
    if row.address is not None:
        dwelling = DwellingBody(id=row.dwelling_id, code=row.dwelling_code, address=row.address)
    return {
        "id": row.id,
        "rev": row.rev,
        "grid": row.grid_id,
        "dwelling": dwelling,
        "door": row.door,
        "contact_phone": row.contact_phone,
        "size_band": row.size_band,
        "status": row.status,
        "visit_preference": row.visit_preference,
        "last_verified_ms": row.last_verified_ms,
        "languages": json.loads(row.languages),
        "archived": row.archived,
        "updated_ms": row.updated_ms,
    }


def household_body(row: RegistryRow) -> HouseholdBody:
    """One household of a list, as it is shown."""
    return HouseholdBody(**_shown("household", household_fields(row)))


def resident_fields(row: RegistryRow) -> dict[str, Any]:
    """The members of a resident's body, nothing masked."""
    return {
        "id": row.id,
        "rev": row.rev,
        "household": row.household_id,
        "name": row.name,
        "birth_year": row.birth_year,
        "phone": row.phone,
        "status": row.status,
        "updated_ms": row.updated_ms,
    }


def resident_body(row: RegistryRow) -> ResidentBody:
    """One resident, as it is shown."""
    return ResidentBody(**_shown("resident", resident_fields(row)))


def _shown(kind: str, members: dict[str, Any]) -> dict[str, Any]:
    return {name: shown(kind, name, value) for name, value in members.items()}


def visit_body(row: RegistryRow) -> VisitBody:
    """One visit."""
    return VisitBody(
        id=row.id,
        household=row.household_id,
        outcome=row.outcome,
        text=row.text,
        visited_at_ms=row.visited_at_ms,
        visitor=row.visitor_id,
    )


def the_household(db: Connection, scope: Scope, household_id: str) -> RegistryRow:
    """One household in scope.

    Raises:
        NotFound: if there is none.
        RecordMerged: if another household stands for it.
        RecordRestricted: if nobody may use it.
    """
    rows = queries.households_in(db, scope, equal={"id": household_id}, after_id=None, limit=1)
    if not rows:
        raise NotFound
    _refuse_restricted(rows[0])
    refuse_merged(db, rows[0])
    return rows[0]


def _refuse_restricted(row: RegistryRow) -> None:
    """Raise `RecordRestricted` if nobody may use what a row is about."""
    if row.restricted is not None:
        raise RecordRestricted


def the_resident(db: Connection, scope: Scope, resident_id: str) -> RegistryRow:
    """One resident in scope.

    Raises:
        NotFound: if there is none.
        RecordMerged: if another resident stands for this one.
        RecordRestricted: if nobody may use it.
    """
    rows = queries.residents_in(db, scope, equal={"id": resident_id}, limit=1)
    if not rows:
        raise NotFound
    _refuse_restricted(rows[0])
    refuse_merged(db, rows[0])
    return rows[0]


def is_usable(db: Connection, scope: Scope, resident_id: str) -> bool:
    """Say whether a resident in scope may be used, because nothing restricts that."""
    usable = {"id": resident_id, "restricted": None}
    return bool(queries.residents_in(db, scope, equal=usable, limit=1))


def whole_household(db: Connection, scope: Scope, household_id: str) -> HouseholdWithResidents:
    """One household with its residents and open disagreements.

    Raises:
        NotFound: if there is none in scope.
    """
    row = the_household(db, scope, household_id)
    residents = queries.residents_in(
        db, scope, equal={"household_id": household_id, "archived": False}
    )
    return HouseholdWithResidents(
        **_shown("household", household_fields(row)),
        residents=[resident_body(each) for each in residents],
        open_conflicts=queries.contested_fields(db, scope, household_id),
    )


def household_seen(
    db: Connection, sight: Sight, household_id: str
) -> tuple[HouseholdWithResidents, Broken | None]:
    """One household with its residents, and the glass that had to be broken to see it.

    Raises:
        NotFound: if there is none in sight.
    """
    found = whole_household(db, sight.scope, household_id)
    if not sight.broken:
        return found, None
    row = the_household(db, sight.scope, household_id)
    return found, sight.glass((row.area_no,))


def visits_to(
    db: Connection,
    scope: Scope,
    household_id: str,
    *,
    after: tuple[int, str] | None,
    limit: int,
) -> Sequence[RegistryRow]:
    """Visits to a household, the newest arrival first.

    Raises:
        NotFound: if the household is not in scope.
    """
    the_household(db, scope, household_id)
    return queries.visits_in(db, scope, household_id, after=after, limit=limit)
