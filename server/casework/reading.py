"""From rows of casework to wire bodies, and the lookups several calls share."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection

from geo.history import Version
from server.areas.scope import Scope
from server.casework import queries
from server.casework.queries import CaseRow
from server.casework.schemas import (
    AssigneeBody,
    ClassBody,
    IncidentBody,
    IncidentWithHistory,
    MeasuredBody,
    OneReportBody,
    ReportBody,
    TaskBody,
    TimelineEntry,
)
from server.households.queries import contested_fields
from server.problems import NotFound
from server.replication.locating import remembered
from server.replication.standing import refuse_merged
from sync.mutation import Position
from sync.outcome import Outcome
from sync.wire_mutation import stored_mutation

_CM_PER_M = 100
_E7 = 10**7
# Work is told by claims, which are kept whether a phone or an office made them.
_CLAIMS = frozenset({"accept", "start", "finish", "not_executable"})
_SAID = ("text", "instruction")


def _place(row: CaseRow) -> dict[str, float | None]:
    if row.geom is None:
        return {"lon": None, "lat": None}
    return {"lon": row.geom.x, "lat": row.geom.y}


def class_body(row: CaseRow) -> ClassBody:
    """One class of the catalogue; one that says nothing about it is in use."""
    return ClassBody(
        id=row.id,
        rev=row.rev,
        code=row.code,
        name=row.name,
        name_zh=row.name_zh,
        major=row.major,
        limit_hours=row.limit_hours,
        duplicate_radius_m=row.duplicate_radius_m,
        photo_rule=row.photo_rule,
        active=row.active is not False,
    )


def report_bodies(db: Connection, rows: Sequence[CaseRow]) -> list[ReportBody]:
    """Reports in order, each with the version of the grid that held it when it was observed.

    That is looked up among all versions there ever were, which are only added to: the answer
    stays the same whatever is redrawn later, and wherever the report's incident moves.
    """
    placed = [row for row in rows if row.geom is not None]
    then: dict[str, Version | None] = {}
    if placed:
        versions = remembered(db).history.at(
            [row.geom.x for row in placed],
            [row.geom.y for row in placed],
            [row.observed_at_ms or row.created_ms for row in placed],
        )
        then = {row.id: each for row, each in zip(placed, versions, strict=True)}
    return [_report_body(row, then.get(row.id)) for row in rows]


def report_body(db: Connection, row: CaseRow) -> ReportBody:
    """One report."""
    return report_bodies(db, [row])[0]


def one_report_body(db: Connection, row: CaseRow) -> OneReportBody:
    """One report, with the position that came with it, out of the log."""
    sent = (stored_mutation(body).position for body in queries.first_said(db, row.id))
    measured = next((each for each in sent if each is not None), None)
    body = dict(report_body(db, row))
    return OneReportBody(**body, measured=None if measured is None else _measured(measured))


def _measured(position: Position) -> MeasuredBody:
    return MeasuredBody(
        lon=position.lon_e7 / _E7,
        lat=position.lat_e7 / _E7,
        datum=position.datum.value,
        accuracy_m=position.accuracy_cm / _CM_PER_M,
    )


def _report_body(row: CaseRow, then: Version | None) -> ReportBody:
    return ReportBody(
        id=row.id,
        rev=row.rev,
        class_=row.class_code,
        text=row.text,
        channel=row.channel,
        incident=row.incident_id,
        grid=row.grid_id,
        observed_grid=None if then is None else then.grid,
        observed_grid_from_ms=None if then is None else then.from_ms,
        accuracy_m=None if row.accuracy_cm is None else row.accuracy_cm / _CM_PER_M,
        datum=row.datum,
        certain=row.certain,
        observed_at_ms=row.observed_at_ms,
        reporter=row.reporter_id,
        media=json.loads(row.media),
        created_ms=row.created_ms,
        **_place(row),
    )


def _incident_fields(row: CaseRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "rev": row.rev,
        "state": row.state,
        "epoch": row.epoch,
        "state_at_ms": row.state_at_ms,
        "class_": row.class_code,
        "summary": row.summary,
        "priority": row.priority,
        "address": row.address,
        "case_no": row.case_no,
        "grid": row.grid_id,
        "task": row.task_id,
        "due_at_ms": row.due_at_ms,
        "observed_at_ms": row.observed_at_ms,
        "rework": row.rework or 0,
        "archived": row.archived,
        "created_ms": row.created_ms,
        "updated_ms": row.updated_ms,
        **_place(row),
    }


def incident_body(row: CaseRow) -> IncidentBody:
    """One incident of a list."""
    return IncidentBody(**_incident_fields(row))


def task_body(row: CaseRow) -> TaskBody:
    """One task."""
    assignee = None
    if row.assignee_id is not None:
        assignee = AssigneeBody(id=row.assignee_id, login=row.assignee_login)
    return TaskBody(
        id=row.id,
        rev=row.rev,
        state=row.state,
        epoch=row.epoch,
        state_at_ms=row.state_at_ms,
        incident=row.incident_id,
        title=row.title,
        instruction=row.instruction,
        assignee=assignee,
        due_at_ms=row.due_at_ms,
        result=row.result,
        grid=row.grid_id,
        created_ms=row.created_ms,
        updated_ms=row.updated_ms,
        **_place(row),
    )


def _only(rows: Sequence[CaseRow]) -> CaseRow:
    if not rows:
        raise NotFound
    return rows[0]


def the_report(db: Connection, scope: Scope, report_id: str) -> CaseRow:
    """One report in scope; raises NotFound."""
    return _only(queries.reports_in(db, scope, equal={"id": report_id}, limit=1))


def the_incident(db: Connection, scope: Scope, incident_id: str) -> CaseRow:
    """One incident in scope; raises NotFound, or RecordMerged if another stands for it."""
    row = _only(queries.incidents_in(db, scope, equal={"id": incident_id}, limit=1))
    refuse_merged(db, row)
    return row


def the_task(db: Connection, scope: Scope, task_id: str) -> CaseRow:
    """One task in scope; raises NotFound."""
    return _only(queries.tasks_in(db, scope, equal={"id": task_id}, limit=1))


def incident_with_history(
    db: Connection, scope: Scope, incident_id: str
) -> IncidentWithHistory:
    """One incident with its reports, tasks and timeline.

    Raises:
        NotFound: if there is none in scope.
    """
    row = the_incident(db, scope, incident_id)
    reports = queries.reports_in(db, scope, equal={"incident_id": incident_id})
    tasks = queries.tasks_in(db, scope, equal={"incident_id": incident_id})
    ids = [incident_id, *(each.id for each in tasks)]
    timeline = [
        *_of_reports(db, reports),
        # The text of a decision is kept like a claim; the decision itself is told below.
        *(_of_claim(each) for each in queries.claims_on(db, scope, ids) if each.act in _CLAIMS),
        *_of_decisions(queries.decisions_on(db, ids)),
    ]
    return IncidentWithHistory(
        **_incident_fields(row),
        reports=report_bodies(db, reports),
        tasks=[task_body(each) for each in tasks],
        timeline=sorted(timeline, key=lambda each: each.at_ms),
        open_conflicts=contested_fields(db, scope, incident_id),
    )


def _of_reports(db: Connection, reports: Sequence[CaseRow]) -> Iterator[TimelineEntry]:
    authors = {each.reporter_id for each in reports if each.reporter_id is not None}
    logins = queries.logins_of(db, sorted(authors)) if authors else {}
    for each in reports:
        yield TimelineEntry(
            at_ms=each.observed_at_ms or each.created_ms,
            what="report",
            record=each.id,
            act="report",
            by=logins.get(each.reporter_id),
            text=each.text,
            counted=True,
            quality=None,
        )


def _of_claim(claim: CaseRow) -> TimelineEntry:
    return TimelineEntry(
        at_ms=claim.at_ms or claim.created_ms,
        what="claim",
        record=claim.parent_id,
        act=claim.act,
        by=claim.by_login,
        text=claim.result,
        counted=bool(claim.counted),
        quality=claim.quality,
    )


def _of_decisions(rows: Sequence[CaseRow]) -> Iterator[TimelineEntry]:
    for row in rows:
        body = json.loads(row.body)
        act = body.get("act", "edit" if body.get("base") else None)
        if act is None or act in _CLAIMS:
            continue
        args = body.get("args", {})
        said = (args[name] for name in _SAID if isinstance(args.get(name), str))
        yield TimelineEntry(
            at_ms=row.at_ms,
            what="decision",
            record=row.record_id,
            act=act,
            by=row.login,
            text=next(said, None),
            counted=row.outcome != Outcome.RECORDED.value,
            quality=row.quality,
        )
