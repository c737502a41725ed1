"""Moving and splitting: the work of one transaction each; and who lived at a dwelling."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from server.areas.queries import scope_of
from server.areas.scope import Scope
from server.clock import new_id
from server.consolewrites import Asking, write_draft
from server.households import moving_queries, queries
from server.households.moving_schemas import (
    HouseholdMove,
    HouseholdSplit,
    ResidentMove,
    Stay,
    Stays,
)
from server.households.queries import RegistryRow
from server.households.reading import (
    resident_body,
    the_household,
    the_resident,
    whole_household,
)
from server.households.schemas import HouseholdWithResidents, ResidentBody
from server.problems import AlreadyExists, BodyError, InvalidBody, NotFound, PreconditionFailed
from server.replication.gather import stored_records
from server.replication.queries import record_revs
from server.replication.submit import Console, Draft, require_done, submit
from sync.lifecycle import MOVE
from sync.merge import winner
from sync.state import rules_of

STAYS_MAX = 500
MOVES_MAX = 20_000
_LEFT = frozenset({"moved_out", "vacant"})


def move_household(
    db: Connection, asking: Asking, household_id: str, body: HouseholdMove, *, rev: int
) -> HouseholdWithResidents:
    """Let a household that stands at `rev` live at another dwelling, with all that is its own.

    Raises:
        NotFound, RecordMerged, InvalidBody, TransitionRefused, PreconditionFailed,
        TooManyDependants.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    the_household(db, scope, household_id)
    _require_dwelling(db, scope, body.dwelling)
    draft = _moved("household", household_id, body.dwelling, body, rev=rev)
    write_draft(db, asking, draft)
    return whole_household(db, scope, household_id)


def move_resident(
    db: Connection, asking: Asking, resident_id: str, body: ResidentMove, *, rev: int
) -> ResidentBody:
    """Let a resident who stands at `rev` live in another household.

    Raises:
        NotFound, RecordMerged, InvalidBody, TransitionRefused, PreconditionFailed.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    the_resident(db, scope, resident_id)
    if not queries.households_in(
        db, scope, equal={"id": body.household}, after_id=None, limit=1
    ):
        raise _elsewhere("/household", "household")
    write_draft(db, asking, _moved("resident", resident_id, body.household, body, rev=rev))
    return resident_body(the_resident(db, scope, resident_id))


def split_household(
    db: Connection, asking: Asking, household_id: str, body: HouseholdSplit, *, rev: int
) -> tuple[HouseholdWithResidents, bool]:
    """Make residents of a household that stands at `rev` one of their own; True if it is new.

    Raises:
        NotFound, RecordMerged, InvalidBody, TransitionRefused, PreconditionFailed.
        AlreadyExists: if the id is taken by something else.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    stands = the_household(db, scope, household_id)
    if body.id is not None and record_revs(db, [body.id]):
        return _split_before(db, scope, body, body.id), False
    if stands.rev != rev:
        raise PreconditionFailed(current_rev=stands.rev)
    _require_dwelling(db, scope, body.dwelling)
    leaving = _leaving(db, scope, household_id, body)
    fresh = body.id or new_id()
    named = {"door": body.door, "contact_phone": body.contact_phone}
    begins = Draft(
        record=fresh,
        kind="household",
        base=0,
        set={"dwelling": body.dwelling, "status": "active"}
        | {name: value for name, value in named.items() if value is not None},
        group="split",
        why=body.text,
    )
    moves = [_moved("resident", each.id, fresh, body, rev=each.rev) for each in leaving]
    console = Console(account=asking.principal.account, role=asking.principal.role.value)
    require_done(submit(db, console, [begins, *moves], now_ms=asking.now_ms))
    return whole_household(db, scope, fresh), True


def _split_before(
    db: Connection, scope: Scope, body: HouseholdSplit, fresh: str
) -> HouseholdWithResidents:
    """What an earlier call of the same split made."""
    try:
        whole = whole_household(db, scope, fresh)
    except NotFound:
        raise AlreadyExists from None
    there = whole.dwelling is not None and whole.dwelling.id == body.dwelling
    if not there or {each.id for each in whole.residents} != set(body.residents):
        raise AlreadyExists
    return whole


def _leaving(
    db: Connection, scope: Scope, household_id: str, body: HouseholdSplit
) -> Sequence[RegistryRow]:
    """The residents who go: some of those who live in the household, but not all."""
    living = {
        each.id: each
        for each in queries.residents_in(
            db, scope, equal={"household_id": household_id, "archived": False}
        )
    }
    faults = [
        BodyError(pointer=f"/residents/{place}", reason="must live in this household")
        for place, each in enumerate(body.residents)
        if each not in living
    ]
    going = dict.fromkeys(body.residents)
    if not faults and len(going) == len(living):
        reason = "somebody must stay; if all go, move the household"
        faults = [BodyError(pointer="/residents", reason=reason)]
    if faults:
        raise InvalidBody(errors=faults)
    return [living[each] for each in going]


def _moved(
    kind: str,
    record: str,
    to: str,
    body: HouseholdMove | ResidentMove | HouseholdSplit,
    *,
    rev: int,
) -> Draft:
    args: dict[str, Any] = {"to": to, "text": body.text}
    if body.moved_ms is not None:
        args |= {"moved_ms": body.moved_ms}
    return Draft(record=record, kind=kind, base=rev, act=MOVE, args=args, if_rev=rev)


def _require_dwelling(db: Connection, scope: Scope, dwelling_id: str) -> None:
    if queries.dwelling_in(db, scope, dwelling_id) is None:
        raise _elsewhere("/dwelling", "dwelling")


def _elsewhere(pointer: str, what: str) -> InvalidBody:
    reason = f"must be a {what} in your area"
    return InvalidBody.at(pointer, reason)


def stays_at(db: Connection, scope: Scope, dwelling_id: str) -> Stays:
    """Who lived at a dwelling in scope, the latest to arrive first, at most `STAYS_MAX`.

    Raises:
        NotFound: if the dwelling is not in scope.
    """
    if moving_queries.dwelling_standing(db, scope, dwelling_id) is None:
        raise NotFound
    limit = STAYS_MAX + 1
    here = moving_queries.living_at(db, scope, dwelling_id, limit=limit)
    left = moving_queries.left_from(db, dwelling_id, limit=limit)
    known = sorted({*left, *(each.id for each in here)})
    created = moving_queries.first_told(db, known)
    moves: dict[str, list[tuple[str, int]]] = {}
    for each in moving_queries.moves_of(db, known, limit=MOVES_MAX):
        moves.setdefault(each.parent_id, []).append((each.moved_from_id, each.moved_ms))
    stays = [
        stay
        for household, created_ms in created.items()
        for stay in _past(household, created_ms, moves.get(household, ()), dwelling_id)
    ]
    ended = _ended(db, [each.id for each in here if each.status in _LEFT])
    for each in here:
        arrived = moves[each.id][-1][1] if each.id in moves else created[each.id]
        to_ms = ended.get(each.id)
        stays.append(Stay(household=each.id, from_ms=arrived, to_ms=to_ms))
    stays.sort(key=lambda each: (each.from_ms, each.household), reverse=True)
    return Stays(items=stays[:STAYS_MAX], more=len(stays) > STAYS_MAX)


def _past(
    household: str, created_ms: int, moves: Iterable[tuple[str, int]], dwelling_id: str
) -> Iterable[Stay]:
    """The stays of one household at a dwelling that ended with a move."""
    arrived = created_ms
    for left, moved_ms in moves:
        if left == dwelling_id:
            yield Stay(household=household, from_ms=min(arrived, moved_ms), to_ms=moved_ms)
        arrived = moved_ms


def _ended(db: Connection, households: Sequence[str]) -> dict[str, int]:
    """When those that are said to have left were said so."""
    rule = rules_of("household")["status"]
    return {
        key: winner(each.record.fields["status"].heads, rule).at_ms
        for key, each in stored_records(db, households).items()
    }
