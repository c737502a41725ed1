"""Boundaries in time, the changes of them that people publish, and the offices of areas."""

from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy import text as sql

from server.db.tables.columns import (
    StoredRow,
    big,
    check,
    ident,
    one_of,
    row_number,
    shape,
    string,
)
from server.db.tables.held import held
from sync.holding import Purpose, Retention, Source

CHANGE_STATES = ("draft", "published", "discarded")
_IN_FORCE = sql("valid_to_ms IS NULL")


class GridVersion(StoredRow, table=True):
    """A grid as it stood from `valid_from_ms` until before `valid_to_ms` (NULL: it still does).

    History is only added to. The database itself refuses two versions of one grid at one time,
    and any other change of a row than to end it, or to name the boundary change it came from.
    """

    __tablename__ = "grid_version"
    __held__ = held(
        "fid grid_id rev area_no code name community_id area_m2 valid_from_ms valid_to_ms "
        "change_id recorded_ms geom",
        Purpose.BOUNDARIES,
        p1="published_by",
        retention=Retention.STORE,
        source=Source.OFFICE,
    )
    __table_args__ = (
        UniqueConstraint("grid_id", "valid_from_ms"),
        Index(None, "area_no"),
        Index(None, "change_id"),
        check("period", "valid_to_ms IS NULL OR valid_to_ms > valid_from_ms"),
        check("area", "area_m2 >= 0"),
        {"sqlite_autoincrement": True},
    )

    fid: int = row_number()
    grid_id: str = ident()
    rev: int = big()
    area_no: int = big()
    code: str = string()
    name: str = string()
    community_id: str = ident()
    area_m2: int = big()
    valid_from_ms: int = big()
    valid_to_ms: int | None = big(null=True)
    published_by: str | None = ident(null=True)
    change_id: str | None = ident(null=True)
    recorded_ms: int = big()
    geom: Any = shape("MULTIPOLYGON")


class BoundaryChange(StoredRow, table=True):
    """A set of edits of boundaries, from its first draft to what publishing it did.

    `area_no` is where it may be seen: the community of its edits, or the area above them all.
    `content` (what is wanted), `base` (grid id to the start of the version it was drawn on) and
    `result` are JSON texts.
    """

    __tablename__ = "boundary_change"
    __held__ = held(
        "id rev state area_id area_no content base created_ms updated_ms published_ms result",
        Purpose.BOUNDARIES,
        p1="reason drawn_by published_by",
        retention=Retention.STORE,
        source=Source.OFFICE,
    )
    __table_args__ = (
        Index(None, "area_no"),
        Index(None, "created_ms", "id"),
        one_of("state", *CHANGE_STATES),
        check("rev", "rev >= 1"),
        check("result", "(state = 'published') = (result IS NOT NULL)"),
    )

    id: str = ident(key=True)
    rev: int = big()
    state: str = string()
    area_id: str = ident()
    area_no: int = big()
    reason: str = string()
    content: str = string()
    base: str = string()
    drawn_by: str = ident()
    created_ms: int = big()
    updated_ms: int = big()
    published_by: str | None = ident(null=True)
    published_ms: int | None = big(null=True)
    result: str | None = string(null=True)


class GridLineage(StoredRow, table=True):
    """How much of one grid went to another (or stayed) when a boundary change was published.

    Shares are parts in a million, of the parent's and of the child's area; `households` counts
    those that live on that ground.
    """

    __tablename__ = "grid_lineage"
    __held__ = held(
        "change_id parent_id child_id at_ms area_m2 parent_ppm child_ppm households",
        Purpose.BOUNDARIES,
        retention=Retention.STORE,
    )
    __table_args__ = (
        Index(None, "parent_id"),
        Index(None, "child_id"),
        check("shares", "parent_ppm BETWEEN 0 AND 1000000 AND child_ppm BETWEEN 0 AND 1000000"),
        check("amounts", "area_m2 >= 0 AND households >= 0"),
    )

    change_id: str = ident(key=True)
    parent_id: str = ident(key=True)
    child_id: str = ident(key=True)
    at_ms: int = big()
    area_m2: int = big()
    parent_ppm: int = big()
    child_ppm: int = big()
    households: int = big()


class ServicePoint(StoredRow, table=True):
    """A version of an office of an area: where it is, and `hours` (JSON) on its wall clock.

    `valid_to_ms` is when it was replaced or retired; NULL: it is in force.
    """

    __tablename__ = "service_point"
    __held__ = held(
        "id rev area_id area_no name address phone lon_e7 lat_e7 time_zone hours valid_from_ms "
        "valid_to_ms",
        Purpose.SERVICE,
        p1="set_by",
        retention=Retention.STORE,
        source=Source.OFFICE,
    )
    __table_args__ = (
        Index(None, "area_no"),
        Index(
            "uq_service_point_in_force",
            "id",
            unique=True,
            postgresql_where=_IN_FORCE,
            sqlite_where=_IN_FORCE,
        ),
        check("period", "valid_to_ms IS NULL OR valid_to_ms > valid_from_ms"),
    )

    id: str = ident(key=True)
    rev: int = big(key=True)
    area_id: str = ident()
    area_no: int = big()
    name: str = string()
    address: str = string()
    phone: str | None = string(null=True)
    lon_e7: int = big()
    lat_e7: int = big()
    time_zone: str = string()
    hours: str = string()
    valid_from_ms: int = big()
    valid_to_ms: int | None = big(null=True)
    set_by: str = ident()


class AreaCode(StoredRow, table=True):
    """A code and name that an area above the grids had until `valid_to_ms`.

    What it has now stands in `area`. `valid_from_ms` NULL: since it was first imported, or
    before. What grids had is in `grid_version`.
    """

    __tablename__ = "area_code"
    __held__ = held(
        "area_id valid_to_ms valid_from_ms code name",
        Purpose.BOUNDARIES,
        retention=Retention.STORE,
        source=Source.OFFICE,
    )
    __table_args__ = (
        Index(None, "code"),
        check("period", "valid_from_ms IS NULL OR valid_to_ms > valid_from_ms"),
    )

    area_id: str = ident(key=True)
    valid_to_ms: int = big(key=True)
    valid_from_ms: int | None = big(null=True)
    code: str = string()
    name: str = string()
