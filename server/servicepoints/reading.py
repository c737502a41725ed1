"""From a stored version of a service point to what is told of it."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from geo.measure import metres_per_degree
from server.servicepoints.hours import Hours, Window, standing
from server.servicepoints.queries import PointRow
from server.servicepoints.schemas import (
    OfficeAnswer,
    ServicePointBody,
    ServicePointPut,
    SpecialDay,
    StandingBody,
    Week,
    window_of,
)
from sync.rfc3339 import format_wall

E7 = 10**7


def hours_text(body: ServicePointPut) -> str:
    """Return the hours as they are stored."""
    days = sorted(body.special_days, key=lambda each: each.date)
    said = {
        "week": body.hours.model_dump(),
        "dates": {each.date: each.hours for each in days},
    }
    return json.dumps(said, separators=(",", ":"), sort_keys=True)


def point_body(row: PointRow, *, at_ms: int) -> ServicePointBody:
    """Return a version, and whether it is open at `at_ms`."""
    said = json.loads(row.hours)
    return ServicePointBody(
        **dict(office_of(row, at_ms=at_ms)),
        rev=row.rev,
        hours=Week(**said["week"]),
        special_days=[
            SpecialDay(date=day, hours=hours) for day, hours in said["dates"].items()
        ],
        valid_from=format_wall(row.valid_from_ms),
        valid_to=None if row.valid_to_ms is None else format_wall(row.valid_to_ms),
    )


def office_of(row: PointRow, *, at_ms: int) -> OfficeAnswer:
    """Return where it is, how it is reached, and whether it is open at `at_ms`."""
    return OfficeAnswer(
        **dict(standing_of(row, at_ms=at_ms)),
        id=row.id,
        area=row.area_id,
        area_code=row.area_code,
        name=row.name,
        address=row.address,
        phone=row.phone,
        lon=row.lon_e7 / E7,
        lat=row.lat_e7 / E7,
        time_zone=row.time_zone,
    )


def standing_of(row: PointRow, *, at_ms: int) -> StandingBody:
    """Return whether a version is open at `at_ms`, and when that changes."""
    found = standing(_hours(row.time_zone, json.loads(row.hours)), at_ms)
    changes = None if found.changes_ms is None else format_wall(found.changes_ms)
    return StandingBody(open=found.open, changes_at=changes)


def _hours(zone: str, said: Mapping[str, Any]) -> Hours:
    return Hours(
        zone=ZoneInfo(zone),
        week=tuple(_windows(said["week"][name]) for name in Week.model_fields),
        dates={date.fromisoformat(day): _windows(each) for day, each in said["dates"].items()},
    )


def _windows(texts: Sequence[str]) -> tuple[Window, ...]:
    return tuple(window_of(each) for each in texts)


def distance_m(row: PointRow, lon: float, lat: float) -> float:
    """Return metres from a position to a service point, right to 1 % within 100 km."""
    lon_m, lat_m = metres_per_degree(lat)
    east, north = (row.lon_e7 / E7 - lon) * lon_m, (row.lat_e7 / E7 - lat) * lat_m
    return float((east * east + north * north) ** 0.5)
