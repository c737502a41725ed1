"""Make, replace, retire service points. The work of one transaction: raises to roll back."""

from typing import Any

from sqlalchemy import Connection

from geo.areas import LEVEL_GRID
from geo.datum import to_wgs84
from geo.history import end_of
from server.areas.queries import scope_of
from server.clock import new_id
from server.consolewrites import Asking
from server.problems import (
    AlreadyExists,
    InvalidBody,
    NotFound,
    PreconditionFailed,
    TransitionRefused,
)
from server.servicepoints import queries
from server.servicepoints.queries import PointRow
from server.servicepoints.reading import hours_text, point_body
from server.servicepoints.schemas import (
    ServicePointBody,
    ServicePointCreate,
    ServicePointPut,
)
from sync.outcome import Code

POINTS_PER_AREA_MAX = 20
_E7 = 10**7
_SAID = ("name", "address", "phone", "lon_e7", "lat_e7", "time_zone", "hours")


def found(
    db: Connection, asking: Asking, point_id: str, *, as_of_ms: int | None
) -> ServicePointBody:
    """Return a service point that concerns the caller as it stood then, or as it stands.

    Raises:
        NotFound: if there was none.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    if as_of_ms is None:
        row = queries.newest_point(db, scope, point_id)
    else:
        row = queries.point_at(db, scope, point_id, at_ms=as_of_ms)
    if row is None:
        raise NotFound
    return point_body(row, at_ms=asking.now_ms if as_of_ms is None else as_of_ms)


def make(
    db: Connection, asking: Asking, body: ServicePointCreate
) -> tuple[ServicePointBody, bool]:
    """Make a service point; True if it is new, False if the request repeats an earlier one.

    Raises:
        InvalidBody: if the area is a grid, is not inside the caller's, or has enough of them.
        AlreadyExists: if the id is taken by something else.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    area = queries.area_in(db, scope, body.area, locked=True)
    if area is None or area.level == LEVEL_GRID:
        raise InvalidBody.at("/area", "must be a community or an area above, inside your own")
    said = _said(body)
    if body.id is not None and queries.taken(db, body.id):
        known = queries.newest_point(db, scope, body.id)
        if known is None or known.area_id != area.id or not _same(known, said):
            raise AlreadyExists
        return point_body(known, at_ms=asking.now_ms), False
    if queries.in_force(db, area.id) >= POINTS_PER_AREA_MAX:
        raise InvalidBody.at("/area", f"has {POINTS_PER_AREA_MAX} service points already")
    row = said | {"id": body.id or new_id(), "rev": 1, "area_id": area.id, "area_no": area.lo}
    queries.add_version(db, row | _set(asking, asking.now_ms))
    return found(db, asking, row["id"], as_of_ms=None), True


def replace(
    db: Connection, asking: Asking, point_id: str, body: ServicePointPut, *, rev: int
) -> ServicePointBody:
    """Replace what is said of a service point that stands at `rev`; the version is kept.

    Raises:
        NotFound, PreconditionFailed, TransitionRefused.
    """
    row = _in_force(db, asking, point_id, rev=rev)
    said = _said(body)
    if not _same(row, said):
        ended = end_of(asking.now_ms, row.valid_from_ms)
        queries.end_version(db, point_id, row.rev, at_ms=ended)
        whose = {"id": row.id, "area_id": row.area_id, "area_no": row.area_no}
        queries.add_version(db, said | whose | {"rev": row.rev + 1} | _set(asking, ended))
    return found(db, asking, point_id, as_of_ms=None)


def retire(db: Connection, asking: Asking, point_id: str, *, rev: int) -> ServicePointBody:
    """Say that a service point that stands at `rev` is no more; its versions are kept.

    Raises:
        NotFound, PreconditionFailed, TransitionRefused.
    """
    row = _in_force(db, asking, point_id, rev=rev)
    ended = end_of(asking.now_ms, row.valid_from_ms)
    queries.end_version(db, point_id, row.rev, at_ms=ended)
    return found(db, asking, point_id, as_of_ms=None)


def _in_force(db: Connection, asking: Asking, point_id: str, *, rev: int) -> PointRow:
    scope = scope_of(db, asking.principal, asking.now_ms)
    row = queries.locked_point(db, scope, point_id)
    if row is None:
        raise NotFound
    if row.rev != rev:
        raise PreconditionFailed(current_rev=row.rev)
    if row.valid_to_ms is not None:
        raise TransitionRefused(code=Code.WRONG_STATE.value)
    return row


def _said(body: ServicePointPut) -> dict[str, Any]:
    lon, lat = to_wgs84(body.lon, body.lat, body.datum)
    return {
        "name": body.name,
        "address": body.address,
        "phone": body.phone,
        "lon_e7": round(lon * _E7),
        "lat_e7": round(lat * _E7),
        "time_zone": body.time_zone,
        "hours": hours_text(body),
    }


def _same(row: PointRow, said: dict[str, Any]) -> bool:
    return all(getattr(row, name) == said[name] for name in _SAID)


def _set(asking: Asking, from_ms: int) -> dict[str, Any]:
    whose = asking.principal.account
    return {"valid_from_ms": from_ms, "valid_to_ms": None, "set_by": whose}
