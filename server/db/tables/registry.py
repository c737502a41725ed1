"""Projections of the registry: grids, dwellings, households, residents, visits, classes.

A projection is written in the transaction that writes its record and can be derived again from
it. No foreign key ties projections together, because a phone's batch arrives in any order.
"""

from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy import text as sql

from server.db.tables.columns import (
    StoredRow,
    big,
    check,
    flag,
    ident,
    one_of,
    row_number,
    search,
    shape,
    string,
)
from server.db.tables.held import held, projected
from sync.holding import Purpose, Retention, Source

AREA_NO = "area_no"


class Projection(StoredRow):
    """What every projection carries: its record's revision, its place, its times."""

    rev: int = big()
    grid_id: str | None = ident(null=True)
    area_no: int = big()
    archived: bool = flag()
    created_ms: int = big()
    updated_ms: int = big()


def hidden(table: str) -> Index:
    """Declare the short index of what nobody may use, because somebody asked for that."""
    restricted = sql("restricted IS NOT NULL")
    return Index(
        f"ix_{table}_restricted",
        "id",
        postgresql_where=restricted,
        sqlite_where=restricted,
    )


class Feature(Projection):
    """A projection with a geometry: a feature table of the GeoPackage."""

    id: str = ident()


class Grid(Feature, table=True):
    """A grid polygon as it stands now; `grid_id` is its own id.

    One with `valid_to_ms` was retired: it is history, and nothing lies in it any more.
    """

    __tablename__ = "grid"
    __held__ = projected("grid", community_id="community", geom="boundary")
    __table_args__ = (
        UniqueConstraint("id"),
        Index(None, AREA_NO),
        Index(None, "code"),
        check("rev", "rev >= 1"),
        check("area", "area_m2 >= 0"),
        {"sqlite_autoincrement": True},
    )

    fid: int = row_number()
    code: str = string()
    name: str = string()
    community_id: str = ident()
    area_m2: int = big()
    valid_from_ms: int | None = big(null=True)
    valid_to_ms: int | None = big(null=True)
    geom: Any = shape("MULTIPOLYGON")


class Dwelling(Feature, table=True):
    """A dwelling: an address and a point."""

    __tablename__ = "dwelling"
    __held__ = projected(
        "dwelling", geom="lon_e7", address_key="address", address_end_key="address"
    )
    __table_args__ = (
        UniqueConstraint("id"),
        Index(None, AREA_NO),
        Index(None, "grid_id"),
        Index(None, "code"),
        Index(None, "address_key", AREA_NO),
        Index(None, "address_end_key", AREA_NO),
        check("rev", "rev >= 1"),
        {"sqlite_autoincrement": True},
    )

    fid: int = row_number()
    code: str = string()
    address: str = string()
    address_key: str | None = search()
    address_end_key: str | None = search()
    geom: Any = shape("POINT")


class Household(Projection, table=True):
    """A household living at a dwelling."""

    __tablename__ = "household"
    __held__ = projected(
        "household", dwelling_id="dwelling", door_key="door", phone_key="contact_phone"
    )
    __table_args__ = (
        Index(None, AREA_NO),
        Index(None, "grid_id"),
        Index(None, "dwelling_id"),
        Index(None, "door_key", AREA_NO),
        Index(None, "phone_key", AREA_NO),
        hidden("household"),
        check("rev", "rev >= 1"),
    )

    id: str = ident(key=True)
    dwelling_id: str = ident()
    door: str | None = string(null=True)
    contact_phone: str | None = string(null=True)
    size_band: str | None = string(null=True)
    status: str | None = string(null=True)
    visit_preference: str | None = string(null=True)
    last_verified_ms: int | None = big(null=True)
    languages: str = string()
    door_key: str | None = search()
    phone_key: str | None = search()
    restricted: str | None = string(null=True)


class Resident(Projection, table=True):
    """A person of a household."""

    __tablename__ = "resident"
    __held__ = projected(
        "resident", household_id="household", name_key="name", phone_key="phone"
    )
    __table_args__ = (
        Index(None, AREA_NO),
        Index(None, "household_id"),
        Index(None, "name_key", AREA_NO),
        Index(None, "phone_key", AREA_NO),
        hidden("resident"),
        check("rev", "rev >= 1"),
    )

    id: str = ident(key=True)
    household_id: str = ident()
    name: str = string()
    birth_year: int | None = big(null=True)
    phone: str | None = string(null=True)
    status: str | None = string(null=True)
    name_key: str | None = search()
    phone_key: str | None = search()
    restricted: str | None = string(null=True)


class Visit(Projection, table=True):
    """A worker's visit to a household: a fact."""

    __tablename__ = "visit"
    __held__ = projected("visit", household_id="household", visitor_id="visitor")
    __table_args__ = (
        Index(None, AREA_NO),
        Index(None, "household_id"),
        hidden("visit"),
        check("rev", "rev >= 1"),
    )

    id: str = ident(key=True)
    household_id: str = ident()
    outcome: str = string()
    text: str | None = string(null=True)
    visited_at_ms: int | None = big(null=True)
    visitor_id: str | None = ident(null=True)
    restricted: str | None = string(null=True)


class NotSame(StoredRow, table=True):
    """Two records of which a person said that they are not the same."""

    __tablename__ = "not_same"
    __held__ = held(
        "first_id second_id kind at_ms",
        Purpose.REGISTRY,
        p1="by_id",
        retention=Retention.STORE,
        source=Source.OFFICE,
    )
    __table_args__ = (
        one_of("kind", "household", "resident"),
        check("order", "first_id < second_id"),
    )

    first_id: str = ident(key=True)
    second_id: str = ident(key=True)
    kind: str = string()
    by_id: str = ident()
    at_ms: int = big()


class Announcement(Projection, table=True):
    """What an office tells everybody below an area, until a date."""

    __tablename__ = "announcement"
    __held__ = projected("announcement", area_id="area")
    __table_args__ = (
        Index(None, AREA_NO),
        Index(None, "area_id"),
        Index(None, "valid_until_ms"),
        check("rev", "rev >= 1"),
    )

    id: str = ident(key=True)
    area_id: str = ident()
    title: str = string()
    text: str = string()
    valid_until_ms: int = big()


class EventClass(Projection, table=True):
    """A class of event from the catalogue; `area_no` is 0, everyone may read it."""

    __tablename__ = "event_class"
    __held__ = projected("class")
    __table_args__ = (
        UniqueConstraint("id"),
        Index(None, "code"),
        check("rev", "rev >= 1"),
        {"sqlite_autoincrement": True},
    )

    fid: int = row_number()
    id: str = ident()
    code: str = string()
    name: str = string()
    name_zh: str | None = string(null=True)
    major: str | None = string(null=True)
    limit_hours: int | None = big(null=True)
    duplicate_radius_m: int | None = big(null=True)
    photo_rule: str | None = string(null=True)
    active: bool | None = flag(null=True)
