"""The grid of a measured position, one at a time or ten thousand, and who answers there."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response

from server.db.store import Store
from server.deps import Now, StoreDep
from server.grids.schemas import Place
from server.identity.access import CurrentPrincipal
from server.locate.finding import Found, find_all, find_all_at
from server.locate.reading import Asked, Known, grids_told, known_of, offices_told, place_told
from server.locate.schemas import (
    LocateAnswer,
    LocateBatch,
    LocateBatchAnswer,
    LocateParameters,
    MomentParameters,
)
from server.moment import moment
from server.problems import InvalidBody, InvalidParameter, problems
from server.replication.locating import published, remembered

router = APIRouter(prefix="/v1/locate", tags=["grids"])


async def _found(
    store: Store, places: Sequence[Place], as_of_ms: int | None
) -> tuple[int, list[Found]]:
    """The version of the boundaries and where the positions lie in it.

    The one place that chooses an index. No connection is held while the geometry is asked.
    """
    if as_of_ms is None:
        now_in_force = await store.read(published)
        return now_in_force.version, await asyncio.to_thread(
            find_all, now_in_force.index, places
        )
    past = await store.read(remembered)
    return past.version, await asyncio.to_thread(find_all_at, past.history, as_of_ms, places)


def _batch_text(version: int, found: Sequence[Found], known: Known) -> str:
    points = [place_told(each, known) for each in found]
    answer = LocateBatchAnswer(
        version=version,
        points=points,
        grids=grids_told(known),
        service_points=offices_told(points, known),
    )
    return answer.model_dump_json()


@router.get("", responses=problems(InvalidParameter))
async def locate_one(
    *,
    parameters: Annotated[LocateParameters, Query()],
    principal: CurrentPrincipal,
    store: StoreDep,
    now: Now,
) -> LocateAnswer:
    """Name the grids a measured position may lie in, their communities and who answers there.

    And the service point that answers for it, with whether it is open at that moment.

    The position is a circle of `accuracy_m` metres in the datum you name, converted once. On a
    shared edge the grid with the lowest code comes first. With `as_of` everything is told as it
    was then, of the areas you may see now.
    """
    asked = Asked(principal=principal, now_ms=now, as_of_ms=moment(parameters.as_of))
    version, found = await _found(store, [parameters.place()], asked.as_of_ms)
    known = await store.read(lambda db: known_of(db, asked, found))
    told = place_told(found[0], known)
    return LocateAnswer(
        **dict(told),
        version=version,
        grids=grids_told(known),
        service_points=offices_told([told], known),
    )


@router.post(
    "",
    response_class=Response,
    responses=problems(InvalidBody, InvalidParameter) | {200: {"model": LocateBatchAnswer}},
)
async def locate_batch(
    *,
    body: LocateBatch,
    parameters: Annotated[MomentParameters, Query()],
    principal: CurrentPrincipal,
    store: StoreDep,
    now: Now,
) -> Response:
    """Locate up to 10,000 positions at once, each answered as by `GET`, all in one version.

    A batch whose circles reach more than 400,000 boundaries in all is refused; divide it.
    """
    asked = Asked(principal=principal, now_ms=now, as_of_ms=moment(parameters.as_of))
    version, found = await _found(store, body.points, asked.as_of_ms)
    known = await store.read(lambda db: known_of(db, asked, found))
    text = await asyncio.to_thread(_batch_text, version, found, known)
    return Response(text, media_type="application/json")
