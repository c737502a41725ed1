"""The dependencies that let a request in; an endpoint without one of them fails the tests.

`CurrentPrincipal`: any account token. `require(Role.ADMIN, …)`: an account token with one of
these roles. `DevicePrincipal`: a device's token, good for `/v1/sync…` only (and for photos, see
`server/media/access.py`); a revoked device is identified too, because its queued work is still
taken in and kept apart.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from server.deps import Now, StoreDep
from server.identity.principal import Principal, Role
from server.identity.queries import principal_of
from server.identity.tokens import token_hash
from server.problems import Forbidden, Unauthenticated

TOKEN_CHARS_MAX = 200


def bearer_of(request: Request) -> str:
    """Return the bearer token of a request.

    Raises:
        Unauthenticated: if there is none, or several, or it is not a plain token.
    """
    headers = request.headers.getlist("authorization")
    if len(headers) != 1:
        raise Unauthenticated
    scheme, _, token = headers[0].partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer":
        raise Unauthenticated
    if not 0 < len(token) <= TOKEN_CHARS_MAX:
        raise Unauthenticated
    return token


async def identify(request: Request, store: StoreDep, now: Now) -> Principal:
    """Return who holds the request's token.

    Raises:
        Unauthenticated: if the token is unknown, expired or revoked, or its account inactive.
    """
    hashed = token_hash(bearer_of(request))
    principal = await store.ask(lambda db: principal_of(db, hashed=hashed, now_ms=now))
    if principal is None:
        raise Unauthenticated
    return principal


async def identify_account(principal: Annotated[Principal, Depends(identify)]) -> Principal:
    """Return the holder of an account token; a device's token is not enough."""
    if principal.device is not None:
        raise Forbidden("A device's token is only good for /v1/sync and for photos.")
    return principal


async def identify_device(principal: Annotated[Principal, Depends(identify)]) -> Principal:
    """Return the holder of a device's token, whatever the device's status."""
    if principal.device is None:
        raise Forbidden("Enrol a device (POST /v1/devices) and use its token.")
    return principal


CurrentPrincipal = Annotated[Principal, Depends(identify_account)]
DevicePrincipal = Annotated[Principal, Depends(identify_device)]


def require(*roles: Role) -> Callable[[Principal], Awaitable[Principal]]:
    """Return a dependency that lets only account tokens of these roles in.

    Use it as `Annotated[Principal, Depends(require(Role.DISPATCHER, Role.ADMIN))]`.
    """
    allowed = frozenset(roles)

    async def with_role(principal: CurrentPrincipal) -> Principal:
        if principal.role not in allowed:
            names = ", ".join(sorted(allowed))
            raise Forbidden(f"This needs one of the roles {names}.")
        return principal

    return with_role
