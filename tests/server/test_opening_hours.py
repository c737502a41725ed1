"""When a service point is open: against a plain walk through every minute."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.servicepoints.hours import LOOK_AHEAD_DAYS, Hours, Standing, Window, standing

MINUTE_MS = 60_000
OFFICE: Window = (8 * 60 + 30, 12 * 60)
AFTERNOON: Window = (14 * 60, 17 * 60 + 30)
WEEKDAYS = (((OFFICE, AFTERNOON),) * 5) + ((), ())
SHANGHAI = ZoneInfo("Asia/Shanghai")


def at(zone: ZoneInfo, text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


def office(dates: Mapping[date, tuple[Window, ...]] | None = None) -> Hours:
    return Hours(zone=SHANGHAI, week=WEEKDAYS, dates=dates or {})


def wall(zone: ZoneInfo, at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(zone)


def windows_of() -> st.SearchStrategy[tuple[Window, ...]]:
    edges = st.lists(
        st.integers(0, 96).map(lambda quarter: quarter * 15), max_size=6, unique=True
    ).map(sorted)
    return edges.map(lambda each: tuple(zip(each[::2], each[1::2], strict=False)))


# Days on which clocks are put forward and back, and one on which nothing happens.
PLACES = (
    ("Asia/Shanghai", date(2026, 2, 13)),
    ("Europe/Berlin", date(2026, 3, 28)),
    ("Europe/Berlin", date(2026, 10, 24)),
    ("America/St_Johns", date(2026, 10, 31)),
    ("Australia/Lord_Howe", date(2026, 4, 4)),
    ("Asia/Beirut", date(2026, 3, 28)),  # midnight does not come
)


@given(
    place=st.sampled_from(PLACES),
    week=st.tuples(*(windows_of() for _ in range(7))),
    special=st.dictionaries(st.integers(0, 3), windows_of(), max_size=2),
    start=st.integers(0, 2 * 1_440),
)
@settings(max_examples=40, deadline=None)
def test_what_is_told_is_what_a_walk_through_the_minutes_finds(
    place: tuple[str, date],
    week: tuple[tuple[Window, ...], ...],
    special: dict[int, tuple[Window, ...]],
    start: int,
) -> None:
    zone, first = ZoneInfo(place[0]), place[1]
    dates = {first + timedelta(days=offset): each for offset, each in special.items()}
    hours = Hours(zone=zone, week=week, dates=dates)

    def is_open(at_ms: int) -> bool:
        now = wall(zone, at_ms)
        said = dates.get(now.date(), week[now.weekday()])
        clock = now.strftime("%H:%M")
        texts = [(f"{a // 60:02}:{a % 60:02}", f"{b // 60:02}:{b % 60:02}") for a, b in said]
        return any(opens <= clock < closes for opens, closes in texts)

    begun = at(zone, first.isoformat()) + start * MINUTE_MS
    told = standing(hours, begun)
    assert told.open == is_open(begun)
    until = begun + 2 * 1_440 * MINUTE_MS
    found = (
        each
        for each in range(begun + MINUTE_MS, until, MINUTE_MS)
        if is_open(each) != told.open
    )
    turn = next(found, None)
    if turn is None:
        assert told.changes_ms is None or told.changes_ms >= until
    else:
        assert told.changes_ms == turn


@pytest.mark.parametrize(
    ("moment", "opened", "changes"),
    [
        ("2026-02-13T08:29:59", False, "2026-02-13T08:30"),
        ("2026-02-13T08:30", True, "2026-02-13T12:00"),
        ("2026-02-13T12:00", False, "2026-02-13T14:00"),
        ("2026-02-13T17:30", False, "2026-02-14T08:30"),  # a Saturday that is worked
        ("2026-02-14T17:30", False, "2026-02-24T08:30"),  # after the holiday
    ],
)
def test_holidays_and_made_up_workdays_are_dates_of_their_own(
    moment: str, opened: object, changes: str
) -> None:
    holiday = {date(2026, 2, 15) + timedelta(days=each): () for each in range(9)}
    dates = {date(2026, 2, 14): (OFFICE, AFTERNOON), **holiday}
    told = standing(office(dates), at(SHANGHAI, moment))
    assert told == Standing(opened is True, at(SHANGHAI, changes))


def test_what_is_always_open_or_never_does_not_change() -> None:
    always = Hours(zone=SHANGHAI, week=(((0, 1_440),),) * 7, dates={})
    assert standing(always, 0) == Standing(open=True, changes_ms=None)
    never = Hours(zone=SHANGHAI, week=((),) * 7, dates={})
    assert standing(never, 0) == Standing(open=False, changes_ms=None)
    far = date(1970, 1, 1) + timedelta(days=LOOK_AHEAD_DAYS + 2)
    late = Hours(zone=SHANGHAI, week=((),) * 7, dates={far: (OFFICE,)})
    assert standing(late, 0) == Standing(open=False, changes_ms=None)
