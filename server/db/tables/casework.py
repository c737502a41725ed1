"""Projections of casework: reports, incidents, tasks, notes and claims."""

from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy import text as sql

from server.db.tables.columns import big, check, flag, ident, row_number, shape, string
from server.db.tables.held import projected
from server.db.tables.registry import AREA_NO, Feature, Projection, hidden

_MOVED = sql("moved_from_id IS NOT NULL")


class Report(Feature, table=True):
    """What one person observed at one time: a fact. `media` is a JSON list of hashes."""

    __tablename__ = "report"
    __held__ = projected(
        "report",
        class_code="class",
        incident_id="incident",
        reporter_id="reporter",
        geom="lon_e7",
    )
    __table_args__ = (
        UniqueConstraint("id"),
        Index(None, AREA_NO),
        Index(None, "incident_id"),
        check("rev", "rev >= 1"),
        {"sqlite_autoincrement": True},
    )

    fid: int = row_number()
    class_code: str = string()
    text: str | None = string(null=True)
    channel: str | None = string(null=True)
    incident_id: str | None = ident(null=True)
    reporter_id: str | None = ident(null=True)
    observed_at_ms: int | None = big(null=True)
    accuracy_cm: int | None = big(null=True)
    datum: str | None = string(null=True)
    certain: bool | None = flag(null=True)
    media: str = string()
    geom: Any = shape("POINT", null=True)


class Incident(Feature, table=True):
    """A problem to be solved, and where it stands."""

    __tablename__ = "incident"
    __held__ = projected("incident", class_code="class", task_id="task", geom="lon_e7")
    __table_args__ = (
        UniqueConstraint("id"),
        Index(None, AREA_NO, "state"),
        Index(None, "case_no"),
        check("rev", "rev >= 1"),
        check("epoch", "epoch >= 0"),
        {"sqlite_autoincrement": True},
    )

    fid: int = row_number()
    class_code: str = string()
    summary: str | None = string(null=True)
    priority: str | None = string(null=True)
    address: str | None = string(null=True)
    case_no: str | None = string(null=True)
    state: str | None = string(null=True)
    epoch: int | None = big(null=True)
    state_at_ms: int | None = big(null=True)
    task_id: str | None = ident(null=True)
    due_at_ms: int | None = big(null=True)
    observed_at_ms: int | None = big(null=True)
    rework: int | None = big(null=True)
    geom: Any = shape("POINT", null=True)


class Task(Feature, table=True):
    """Work given to one person because of an incident."""

    __tablename__ = "task"
    __held__ = projected("task", incident_id="incident", assignee_id="assignee", geom="lon_e7")
    __table_args__ = (
        UniqueConstraint("id"),
        Index(None, AREA_NO, "state"),
        Index(None, "incident_id"),
        Index(None, "assignee_id"),
        check("rev", "rev >= 1"),
        check("epoch", "epoch >= 0"),
        {"sqlite_autoincrement": True},
    )

    fid: int = row_number()
    incident_id: str | None = ident(null=True)
    title: str | None = string(null=True)
    instruction: str | None = string(null=True)
    assignee_id: str | None = ident(null=True)
    due_at_ms: int | None = big(null=True)
    result: str | None = string(null=True)
    state: str | None = string(null=True)
    epoch: int | None = big(null=True)
    state_at_ms: int | None = big(null=True)
    state_by: str | None = ident(null=True)
    geom: Any = shape("POINT", null=True)


class Note(Projection, table=True):
    """A remark on another record: a fact."""

    __tablename__ = "note"
    __held__ = projected("note", parent_id="parent", author_id="author")
    __table_args__ = (
        Index(None, AREA_NO),
        Index(None, "parent_id"),
        hidden("note"),
        check("rev", "rev >= 1"),
    )

    id: str = ident(key=True)
    parent_id: str = ident()
    text: str = string()
    author_id: str | None = ident(null=True)
    written_at_ms: int | None = big(null=True)
    restricted: str | None = string(null=True)


class Claim(Feature, table=True):
    """Somebody says that a step of a life cycle was done; kept whether or not it counted."""

    __tablename__ = "claim"
    __held__ = projected(
        "claim", parent_id="parent", by_id="by", moved_from_id="moved_from", geom="lon_e7"
    )
    __table_args__ = (
        UniqueConstraint("id"),
        Index(None, AREA_NO),
        Index(None, "parent_id"),
        Index(
            "ix_claim_moved_from_id",
            "moved_from_id",
            postgresql_where=_MOVED,
            sqlite_where=_MOVED,
        ),
        check("rev", "rev >= 1"),
        {"sqlite_autoincrement": True},
    )

    fid: int = row_number()
    parent_id: str = ident()
    act: str = string()
    by_id: str | None = ident(null=True)
    at_ms: int | None = big(null=True)
    quality: str | None = string(null=True)
    result: str | None = string(null=True)
    counted: bool | None = flag(null=True)
    moved_from_id: str | None = ident(null=True)
    moved_ms: int | None = big(null=True)
    geom: Any = shape("POINT", null=True)
