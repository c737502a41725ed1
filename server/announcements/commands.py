"""Making and changing announcements. The work of one transaction: it raises to roll back."""

from sqlalchemy import Connection

from server.announcements import queries
from server.announcements.schemas import (
    AnnouncementBody,
    AnnouncementCreate,
    AnnouncementPatch,
)
from server.areas.queries import scope_of
from server.areas.scope import Scope
from server.clock import new_id
from server.consolewrites import Asking, create_record, write_draft
from server.problems import AlreadyExists, Forbidden, InvalidBody, NotFound
from server.replication.submit import Draft

YEAR_MS = 366 * 86_400_000
_FIELDS = ("area", "title", "text", "valid_until_ms")


def the_announcement(db: Connection, scope: Scope, announcement_id: str) -> AnnouncementBody:
    """Return an announcement that concerns `scope`.

    Raises:
        NotFound: if there is none.
    """
    row = queries.announcement_for(db, scope, announcement_id)
    if row is None:
        raise NotFound
    return announcement_body(row)


def announcement_body(row: queries.AnnouncementRow) -> AnnouncementBody:
    """One announcement of a list."""
    return AnnouncementBody(
        id=row.id,
        rev=row.rev,
        area=row.area_id,
        area_code=row.area_code,
        title=row.title,
        text=row.text,
        valid_until_ms=row.valid_until_ms,
        archived=row.archived,
        created_ms=row.created_ms,
        updated_ms=row.updated_ms,
    )


def announce(
    db: Connection, asking: Asking, body: AnnouncementCreate
) -> tuple[AnnouncementBody, bool]:
    """Make an announcement; True if it is new, False if the request repeats an earlier one.

    Raises:
        InvalidBody: if the area is not inside the caller's, or the date not in the next year.
        AlreadyExists: if the id is taken by something else.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    if not queries.area_in(db, scope, body.area):
        raise InvalidBody.at("/area", "must be an area inside your own")
    said = {name: getattr(body, name) for name in _FIELDS}
    record = body.id or new_id()
    stored = queries.announcement_for(db, scope, record)
    if stored is not None:
        known = announcement_body(stored)
        if {name: getattr(known, name) for name in _FIELDS} != said:
            raise AlreadyExists
        return known, False
    _check_until(body.valid_until_ms, asking.now_ms)
    create_record(db, asking, Draft(record=record, kind="announcement", base=0, set=said))
    return the_announcement(db, scope, record), True


def change(
    db: Connection, asking: Asking, announcement_id: str, body: AnnouncementPatch, *, rev: int
) -> AnnouncementBody:
    """Change an announcement that stands at `rev`.

    Raises:
        NotFound: if none concerns the caller.
        Forbidden: if it was made for an area that is not inside the caller's.
        InvalidBody: if the date is not in the next year.
        PreconditionFailed: if it changed since.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    known = the_announcement(db, scope, announcement_id)
    if not queries.area_in(db, scope, known.area):
        raise Forbidden("The announcement is one of an area above your own.")
    said = {name: getattr(body, name) for name in sorted(body.model_fields_set)}
    if "valid_until_ms" in said:
        _check_until(said["valid_until_ms"], asking.now_ms)
    draft = Draft(record=announcement_id, kind="announcement", base=rev, set=said, if_rev=rev)
    write_draft(db, asking, draft)
    return the_announcement(db, scope, announcement_id)


def _check_until(until_ms: int, now_ms: int) -> None:
    if not now_ms < until_ms <= now_ms + YEAR_MS:
        raise InvalidBody.at("/valid_until_ms", "must be in the future, at most a year")
