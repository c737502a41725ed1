"""What is told of people to somebody who only draws: nothing.

A shape drawn around one home would tell how many households live there, and shapes drawn one
after the other any number beside it, whatever the smallest number that is told. Who publishes
reads the registry, or answers for what moves, and is told all.
"""

from collections.abc import Mapping
from typing import Any, Final

from server.boundaries.access import PUBLISHING
from server.boundaries.schemas import ChangeBody, PreviewBody
from server.identity.principal import Principal

_NOBODY: Final[Mapping[str, Any]] = {"households": None, "from_workers": [], "to_workers": []}
_NO_HOUSEHOLDS: Final[Mapping[str, Any]] = {"households_before": None, "households_after": None}


def change_told(principal: Principal, change: ChangeBody) -> ChangeBody:
    """Return a change as `principal` is told of it."""
    if principal.role in PUBLISHING or change.result is None:
        return change
    moved = change.result.moved.model_copy(update={"households": None})
    result = change.result.model_copy(update={"moved": moved})
    return change.model_copy(update={"result": result})


def preview_told(principal: Principal, preview: PreviewBody) -> PreviewBody:
    """Return a preview as `principal` is told of it."""
    if principal.role in PUBLISHING:
        return preview
    flows = [each.model_copy(update=_NOBODY) for each in preview.flows]
    grids = [each.model_copy(update=_NO_HOUSEHOLDS) for each in preview.grids]
    return preview.model_copy(update={"flows": flows, "grids": grids, "workers": []})
