"""From the rows a search found to its answer: each household once, with all that found it."""

from sqlalchemy import Connection

from server.areas.scope import Scope
from server.households import queries
from server.households.reading import household_body
from server.households.schemas import FoundHousehold, FoundHouseholds
from sync.searching import Sought


def found_in(
    db: Connection, scope: Scope, text: str, asked: Sought, *, limit: int
) -> tuple[FoundHouseholds, list[int]]:
    """At most `limit` households of `scope` that `asked` finds, and their area numbers.

    Those found by most columns come first, then by id. `more` is true as well when a column
    gave as many rows as it may, because others may have been cut off.
    """
    rows, cut = queries.households_found(db, scope, text, asked, limit=limit + 1)
    ordered = sorted(rows, key=lambda each: (-len(each[1]), each[0].id))
    answer = FoundHouseholds(
        items=[
            FoundHousehold(household=household_body(row), matched=sorted(matched))
            for row, matched in ordered[:limit]
        ],
        more=cut or len(ordered) > limit,
    )
    return answer, [row.area_no for row, _ in ordered[:limit]]
