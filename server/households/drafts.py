"""From a request about the registry to the draft the write path decides."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from server.households.schemas import (
    HouseholdCreate,
    HouseholdPatch,
    ResidentCreate,
    ResidentPatch,
)
from server.replication.submit import Draft

_NOT_FIELDS = frozenset({"id", "languages", "why"})


def _said(body: BaseModel) -> dict[str, Any]:
    """The plain fields a body names."""
    names = body.model_fields_set - _NOT_FIELDS
    return {name: getattr(body, name) for name in sorted(names)}


def _given(body: BaseModel) -> dict[str, Any]:
    """The plain fields a body gives a value: what a new record begins with."""
    return {name: value for name, value in _said(body).items() if value is not None}


def new_household(body: HouseholdCreate, household_id: str) -> Draft:
    """The draft of a new household; its grid is inherited from the dwelling."""
    languages = tuple(sorted(set(body.languages)))
    return Draft(
        record=household_id,
        kind="household",
        base=0,
        set=_given(body),
        add={"languages": languages} if languages else {},
        why=body.why,
    )


def changed_household(
    body: HouseholdPatch, household_id: str, *, rev: int, languages: Sequence[str]
) -> Draft:
    """The draft of a change at `rev`, when the household had `languages`."""
    had, wanted = set(languages), set(languages if body.languages is None else body.languages)
    added, removed = tuple(sorted(wanted - had)), tuple(sorted(had - wanted))
    return Draft(
        record=household_id,
        kind="household",
        base=rev,
        set=_said(body),
        add={"languages": added} if added else {},
        remove={"languages": removed} if removed else {},
        if_rev=rev,
        why=body.why,
    )


def new_resident(body: ResidentCreate, resident_id: str, household_id: str) -> Draft:
    """The draft of a new resident of a household."""
    return Draft(
        record=resident_id,
        kind="resident",
        base=0,
        set=_given(body) | {"household": household_id},
        why=body.why,
    )


def changed_resident(body: ResidentPatch, resident_id: str, *, rev: int) -> Draft:
    """The draft of a change at `rev`."""
    return Draft(
        record=resident_id,
        kind="resident",
        base=rev,
        set=_said(body),
        if_rev=rev,
        why=body.why,
    )


def repeats(draft: Draft, stored: dict[str, Any]) -> bool:
    """Say whether a creation asks for what is `stored` already, so that it is a repeat."""
    languages = sorted(draft.add.get("languages", ()))
    return all(stored.get(name) == value for name, value in draft.set.items()) and (
        "languages" not in stored or sorted(stored["languages"]) == languages
    )
