"""Wire models of service points."""

import re
from datetime import date
from itertools import pairwise
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator

from server.areas.schemas import AREA_CHARS_MAX
from server.fieldrules import Body
from server.grids.schemas import DatumName, Latitude, Longitude
from server.moment import AsOf
from server.paging import PageParameters
from server.recordids import IdText
from server.servicepoints.hours import Window

WINDOWS_MAX, SPECIAL_DAYS_MAX = 6, 400
NAME_CHARS_MAX, ADDRESS_CHARS_MAX, PHONE_CHARS_MAX, ZONE_CHARS_MAX = 100, 200, 40, 60
_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+\-]*(?:/[A-Za-z0-9_+\-]+){0,2}")


def window_of(text: str) -> Window:
    """Return the minutes of `08:30-12:00`.

    Raises:
        ValueError: if it is none, or does not end after it begins.
    """
    found = _WINDOW.fullmatch(text)
    if found is None:
        raise ValueError("must be like 08:30-12:00, at most until 24:00")
    start = int(found[1]) * 60 + int(found[2])
    end = 1_440 if found[3] is None else int(found[3]) * 60 + int(found[4])
    if end <= start:
        raise ValueError("must end after it begins; what goes past midnight is two windows")
    return start, end


def _windows(texts: list[str]) -> list[str]:
    minutes = [window_of(each) for each in texts]
    for (_, end), (start, _) in pairwise(minutes):
        if start < end:
            raise ValueError("must be in order and apart")
    return texts


def _zone(name: str) -> str:
    if _ZONE.fullmatch(name) is None:
        raise ValueError("must be the IANA name of a time zone")
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise ValueError("must be the IANA name of a time zone") from None
    return name


def _date(text: str) -> str:
    try:
        known = date.fromisoformat(text).isoformat()
    except ValueError:
        known = ""
    if known != text:
        raise ValueError("must be a date like 2026-10-01")
    return text


Windows = Annotated[
    list[Annotated[str, StringConstraints(max_length=11)]],
    AfterValidator(_windows),
    Field(max_length=WINDOWS_MAX, description="Like 08:30-12:00, in order; empty: closed."),
]
Words = StringConstraints(strip_whitespace=True, min_length=1)


class Week(Body):
    """Windows of each day of the week; a day that is not named is closed."""

    monday: Windows = Field(default_factory=list)
    tuesday: Windows = Field(default_factory=list)
    wednesday: Windows = Field(default_factory=list)
    thursday: Windows = Field(default_factory=list)
    friday: Windows = Field(default_factory=list)
    saturday: Windows = Field(default_factory=list)
    sunday: Windows = Field(default_factory=list)


class SpecialDay(Body):
    """A date that has other hours than its day of the week: a holiday, a made-up workday."""

    date: Annotated[str, AfterValidator(_date), Field(max_length=10)]
    hours: Windows


class ServicePointPut(Body):
    """All that is said of a service point: an office, no person."""

    name: Annotated[str, Words, Field(max_length=NAME_CHARS_MAX)]
    address: Annotated[str, Words, Field(max_length=ADDRESS_CHARS_MAX)]
    phone: Annotated[str, Words, Field(max_length=PHONE_CHARS_MAX)] | None = Field(
        None, description="Of the counter; nobody's own."
    )
    lon: Longitude
    lat: Latitude
    datum: DatumName = "wgs84"
    time_zone: Annotated[
        str,
        AfterValidator(_zone),
        Field(max_length=ZONE_CHARS_MAX, description="IANA name, as Asia/Shanghai."),
    ]
    hours: Week
    special_days: list[SpecialDay] = Field(default_factory=list, max_length=SPECIAL_DAYS_MAX)

    @model_validator(mode="after")
    def _dates_once(self) -> Self:
        dates = [each.date for each in self.special_days]
        if len(set(dates)) < len(dates):
            raise ValueError("special_days must name each date once")
        return self


class ServicePointCreate(ServicePointPut):
    """A new service point. With an `id` of your own the call may be repeated safely."""

    id: IdText | None = Field(None, description="UUID (version 7 advised) made by the caller.")
    area: IdText = Field(
        description="Whom it answers for: a community, or an area above that has no nearer one."
    )


class ServicePointParameters(PageParameters):
    """Filters of the list of service points; all given ones must hold."""

    area: str | None = Field(
        None, max_length=AREA_CHARS_MAX, description="Code or id of an area; what concerns it."
    )
    as_of: AsOf = None


class StandingBody(BaseModel):
    """Whether it is open at the moment asked for, now without `as_of`."""

    open: bool
    changes_at: str | None = Field(
        description="When that changes next; null: not within three weeks."
    )


class OfficeAnswer(StandingBody):
    """A service point; `GET /v1/service-points/{id}` says all of it."""

    id: str
    area: str
    area_code: str
    name: str
    address: str
    phone: str | None
    lon: float = Field(description="In WGS 84.")
    lat: float = Field(description="In WGS 84.")
    time_zone: str


class ServicePointBody(OfficeAnswer):
    """A service point in one of its versions."""

    rev: int
    hours: Week
    special_days: list[SpecialDay]
    valid_from: str
    valid_to: str | None = Field(description="Replaced or retired at; null: in force.")
