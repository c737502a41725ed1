"""From rows of boundary changes to wire bodies."""

import json
from typing import Any

from sqlalchemy import Connection

from geo.geojson import dump_geometry
from server.areas.scope import Scope
from server.boundaries import queries
from server.boundaries.content import content_of
from server.boundaries.queries import AnyRow
from server.boundaries.schemas import (
    ChangeBody,
    ChangeSummary,
    EditBody,
    GivenBody,
    ResultBody,
)
from server.problems import NotFound


def the_change(db: Connection, scope: Scope, change_id: str, *, locked: bool = False) -> AnyRow:
    """One boundary change in scope; raises NotFound."""
    row = queries.change_in(db, scope, change_id, locked=locked)
    if row is None:
        raise NotFound
    return row


def _shared(row: AnyRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "rev": row.rev,
        "state": row.state,
        "area": row.area_id,
        "reason": row.reason,
        "drawn_by": row.drawn_by,
        "created_ms": row.created_ms,
        "updated_ms": row.updated_ms,
        "published_by": row.published_by,
        "published_ms": row.published_ms,
    }


def change_summary(row: AnyRow) -> ChangeSummary:
    """One boundary change of a list."""
    return ChangeSummary(**_shared(row), edits=len(json.loads(row.content)["edits"]))


def change_body(row: AnyRow) -> ChangeBody:
    """One boundary change with its edits, boundaries as GeoJSON."""
    content = content_of(row.content)
    edits = [
        EditBody(
            edit=edit.kind.value,
            takes=list(edit.takes),
            gives=[
                GivenBody(
                    id=each.id,
                    code=each.code,
                    name=each.name,
                    community=each.community,
                    boundary=None if each.boundary is None else dump_geometry(each.boundary),
                )
                for each in edit.gives
            ],
        )
        for edit in content.edits
    ]
    return ChangeBody(
        **_shared(row),
        edits=edits,
        tolerance_m2=content.tolerance.area_m2,
        sliver_width_m=content.tolerance.width_m,
        edge_m=content.edge_m,
        open_work=content.open_work,
        ground=None if content.ground is None else dump_geometry(content.ground),
        buildings=len(content.buildings),
        result=None if row.result is None else ResultBody(**json.loads(row.result)),
    )
