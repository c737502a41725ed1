"""Keep, show, find and remove identity numbers, where an installation keeps any."""

from fastapi import APIRouter, Response

from server.identifiers import keeping, showing
from server.identifiers.access import DeskDep
from server.identifiers.rules import Kind
from server.identifiers.schemas import (
    FoundResident,
    IdentifierBody,
    IdentifierPut,
    IdentifierSearch,
    RevealedBody,
    RevealRequest,
)
from server.paging import Page
from server.problems import (
    Forbidden,
    InvalidBody,
    InvalidParameter,
    NotFound,
    NotHere,
    TooManyRequests,
    problems,
)
from server.recordids import PathId
from server.sealed.problems import SealingUnavailable

router = APIRouter(prefix="/v1", tags=["identifiers"])
_HERE = "/residents/{resident_id}/identifiers"
_WRITING = problems(
    Forbidden, NotFound, InvalidParameter, InvalidBody, NotHere, SealingUnavailable
)


@router.get(_HERE, responses=problems(Forbidden, NotFound, NotHere))
async def list_identifiers(*, resident_id: PathId, desk: DeskDep) -> Page[IdentifierBody]:
    """List which identity numbers of a resident are kept, for what, until when. No number."""
    return Page(items=await showing.listed(desk, resident_id), next=None)


@router.put(_HERE + "/{kind}", responses=_WRITING)
async def put_identifier(
    *, resident_id: PathId, kind: Kind, body: IdentifierPut, desk: DeskDep
) -> IdentifierBody:
    """Keep an identity number, sealed, in the place of what was kept under its kind."""
    return await keeping.put(desk, resident_id, kind, body)


@router.delete(
    _HERE + "/{kind}",
    status_code=204,
    responses=problems(Forbidden, NotFound, InvalidParameter, NotHere),
)
async def remove_identifier(*, resident_id: PathId, kind: Kind, desk: DeskDep) -> Response:
    """Destroy an identity number. Nobody can read it in a backup any more either."""
    await keeping.remove(desk, resident_id, kind)
    return Response(status_code=204)


@router.post(
    _HERE + "/{kind}/reveal",
    responses=_WRITING | problems(TooManyRequests),
)
async def reveal_identifier(
    *, resident_id: PathId, kind: Kind, body: RevealRequest, desk: DeskDep
) -> RevealedBody:
    """Show one identity number for the purpose it is kept for. Who saw it is written down."""
    return await showing.reveal(desk, resident_id, kind, body.purpose)


@router.post(
    "/identifiers/search",
    responses=problems(Forbidden, InvalidBody, TooManyRequests, NotHere, SealingUnavailable),
)
async def search_identifiers(*, body: IdentifierSearch, desk: DeskDep) -> Page[FoundResident]:
    """Find the residents of your area who have exactly this number. It is written down."""
    return Page(items=await showing.search(desk, body), next=None)
