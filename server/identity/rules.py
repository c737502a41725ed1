"""Who may do what with devices.

Every condition stands on a line of its own; the default is no.
"""

from server.identity.principal import Principal, Role

ENROLLING = (Role.WORKER, Role.DISPATCHER, Role.ADMIN)
SUPERVISING = (Role.DISPATCHER, Role.ADMIN)


def sees_workers(principal: Principal) -> bool:
    """Say whether `principal` is told who answers for a place; a worker is told of no other.

    Whoever makes maps of places needs to know none of it.
    """
    if principal.role in SUPERVISING:
        return True
    return principal.role is Role.WORKER


def may_revoke(principal: Principal, *, owner: str, area_no: int) -> bool:
    """Say whether `principal` may revoke a device of `owner`, who belongs to `area_no`."""
    if principal.device is not None:
        return False
    if owner == principal.account:
        return True
    if principal.role not in SUPERVISING:
        return False
    return principal.area.covers(area_no)
