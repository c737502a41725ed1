"""Who may draw up and who may publish changes of boundaries.

Every condition stands on a line of its own; the default is no.
"""

from geo.areas import LEVEL_STREET, Span, level_of
from server.identity.principal import EVERYWHERE, Principal, Role

DRAWING = (Role.ANALYST, Role.DISPATCHER, Role.ADMIN)
PUBLISHING = (Role.DISPATCHER, Role.ADMIN)


def may_publish(principal: Principal, *, drawn_by: str) -> bool:
    """Say whether `principal` may publish a draft whose edits are by the account `drawn_by`.

    Grids of a community are published from a street or above, and never by who drew them.
    """
    if principal.role not in PUBLISHING:
        return False
    if principal.account == drawn_by:
        return False
    if principal.area == EVERYWHERE:
        return True
    return level_of(Span(principal.area.lo, principal.area.hi)) <= LEVEL_STREET
