"""Look for households by what somebody at the door or on the telephone says."""

from fastapi import APIRouter
from sqlalchemy import Connection

from server.accesslog.access import ReadingDep
from server.areas.queries import narrowed
from server.breakglass.sight import Broken, sight_of
from server.deps import Now, StoreDep
from server.households.access import RegistryPrincipal
from server.households.schemas import FoundHouseholds, HouseholdSearch
from server.households.searching import found_in
from server.problems import (
    Forbidden,
    InvalidBody,
    InvalidParameter,
    problems,
)
from sync.searching import sought

router = APIRouter(prefix="/v1", tags=["households"])


@router.post("/households/search", responses=problems(Forbidden, InvalidBody, InvalidParameter))
async def search_households(
    *,
    body: HouseholdSearch,
    principal: RegistryPrincipal,
    store: StoreDep,
    now: Now,
    reading: ReadingDep,
) -> FoundHouseholds:
    """Find the households you may see by name, telephone number, door or address.

    It changes nothing. What was looked for stands in the body, so that no log keeps it.
    """
    asked = sought(body.q)
    if asked is None:
        reason = "must have a letter or a digit"
        raise InvalidBody.at("/q", reason)

    def found(db: Connection) -> tuple[FoundHouseholds, Broken | None]:
        sight = sight_of(db, principal, now)
        scope = narrowed(db, sight.scope, body.area)
        answer, places = found_in(db, scope, body.q.strip(), asked, limit=body.limit)
        return answer, sight.glass(places)

    answer, glass = await store.read(found)
    ids = (each.household.id for each in answer.items)
    await reading.note("list", "household", ids, glass=glass)
    return answer
