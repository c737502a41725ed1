"""From rows of grids to GeoJSON and to their history."""

import json
from collections.abc import Sequence

from sqlalchemy import Connection

from geo.lineage import PPM
from server.areas.scope import Scope
from server.grids.queries import (
    GridRow,
    lineage_of,
    versions_of,
)
from server.grids.schemas import (
    GridHistoryBody,
    LineageBody,
    VersionBody,
)
from server.layers.features import feature_text, geometry_texts
from server.problems import NotFound
from sync.rfc3339 import format_wall


def grid_features(rows: Sequence[GridRow]) -> list[str]:
    """Return one GeoJSON Feature a row, in order."""
    shapes = geometry_texts([row.wkb for row in rows])
    return [
        feature_text(
            row.id,
            shape,
            {
                "code": row.code,
                "name": row.name,
                "community": row.community_id,
                "area_m2": row.area_m2,
                "valid_from": _time(row.valid_from_ms),
                "valid_to": _time(row.valid_to_ms),
                "rev": row.rev,
            },
        )
        for row, shape in zip(rows, shapes, strict=True)
    ]


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else format_wall(at_ms)


def _version(row: GridRow, shape: str | None) -> VersionBody:
    return VersionBody(
        code=row.code,
        name=row.name,
        community=row.community_id,
        area_m2=row.area_m2,
        valid_from=format_wall(row.valid_from_ms),
        valid_to=_time(row.valid_to_ms),
        change=row.change_id,
        geometry=json.loads(shape or "null"),
    )


def history_of(db: Connection, scope: Scope, grid_id: str, *, counts: bool) -> GridHistoryBody:
    """Every version of a grid in scope, the newest first, and where its ground came from.

    With `counts` it says how many households went with it, however few.

    Raises:
        NotFound: if no grid in scope ever had this id.
    """
    rows = versions_of(db, scope, grid_id)
    if not rows:
        raise NotFound
    shapes = geometry_texts([row.wkb for row in rows])
    return GridHistoryBody(
        id=grid_id,
        versions=[_version(row, shape) for row, shape in zip(rows, shapes, strict=True)],
        lineage=[
            LineageBody(
                change=row.change_id,
                parent=row.parent_id,
                child=row.child_id,
                at=format_wall(row.at_ms),
                area_m2=row.area_m2,
                share_of_parent=row.parent_ppm / PPM,
                share_of_child=row.child_ppm / PPM,
                households=row.households if counts else None,
            )
            for row in lineage_of(db, grid_id)
        ],
    )
