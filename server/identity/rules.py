"""Who may do what with devices.

Every condition stands on a line of its own; the default is no.
"""

from server.identity.principal import Principal, Role

ENROLLING = (Role.WORKER, Role.DISPATCHER, Role.ADMIN)
SUPERVISING = (Role.DISPATCHER, Role.ADMIN)


def may_revoke(principal: Principal, *, owner: str, area_no: int) -> bool:
    """Say whether `principal` may revoke a device of `owner`, who belongs to `area_no`."""
    if principal.device is not None:
        return False
    if owner == principal.account:
        return True
    if principal.role not in SUPERVISING:
        return False
    return principal.area.covers(area_no)
