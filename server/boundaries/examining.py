"""Put a draft upon the boundaries in force, and name what is wrong with it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection

from geo.change_faults import ChangeFault, faults_of
from geo.changes import Proposal, propose
from geo.errors import GeoError
from geo.geojson import dump_geometry
from server.areas.scope import Scope
from server.boundaries import queries
from server.boundaries.content import Content, content_of
from server.boundaries.problems import StaleBoundary
from server.boundaries.queries import AnyRow
from server.boundaries.schemas import CheckedBody, FaultBody
from server.grids.validation import unacceptable
from server.imports.queries import area_ids
from server.replication.queries import GRIDS_VERSION, counter_value
from server.replication.versions import started

FAULTS_MAX = 500
_AREA_DIGITS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A draft on the boundaries in force, as one transaction saw them.

    `version` is the counter of the boundaries, `grids` the rows of what the edits take, `codes`
    the code of every grid before and afterwards.
    """

    version: int
    content: Content
    proposal: Proposal
    grids: Mapping[str, AnyRow]
    codes: Mapping[str, str]


def case_of(db: Connection, scope: Scope, row: AnyRow) -> Case:
    """Load the boundaries a draft is about and put its edits upon them.

    Raises:
        StaleBoundary: if a grid it takes is not what it was when it was drawn, or the code of a
            new one was given out since.
        InvalidBody: if two edits name one grid.
    """
    return case_on(db, scope, content_of(row.content), json.loads(row.base))


def case_on(db: Connection, scope: Scope, content: Content, base: Mapping[str, int]) -> Case:
    """Like `case_of` for a draft that is not stored; `base` is what it stands on."""
    _refuse_stale(db, content, base)
    grids = queries.grids_in_force(db, scope, content.taken)
    if len(grids) < len(content.taken):
        raise StaleBoundary(grids=sorted(set(content.taken) - grids.keys()))
    new = [each.code for grid, each in content.given.items() if grid not in grids]
    if used := area_ids(db, new):
        # Another draft with the same code was published first, or an import used it.
        raise StaleBoundary(grids=sorted(used.values()))
    drawn = [each.boundary for each in content.given.values() if each.boundary is not None]
    around = _around(db, [*(each.geom for each in grids.values()), *drawn])
    current = {each.id: each.geom for each in around}
    try:
        proposal = propose(current, [each.as_edit() for each in content.edits])
    except GeoError as fault:
        raise unacceptable(fault) from None
    codes = {each.id: str(each.code) for each in around}
    codes |= {grid: each.code for grid, each in content.given.items()}
    return Case(
        version=counter_value(db, GRIDS_VERSION),
        content=content,
        proposal=proposal,
        grids=grids,
        codes=codes,
    )


def _refuse_stale(db: Connection, content: Content, base: Mapping[str, int]) -> None:
    now = started(db, content.taken)
    changed = [grid for grid in content.taken if now.get(grid) != base.get(grid)]
    if changed:
        raise StaleBoundary(grids=sorted(changed))


def _around(db: Connection, ground: list[BaseGeometry]) -> list[AnyRow]:
    """The grids around some ground, and all between those: a ring may enclose others."""
    bounds = tuple(shapely.total_bounds(ground).tolist())
    near = queries.grids_around(db, (bounds[0], bounds[1], bounds[2], bounds[3]))
    if not near:
        return []
    wider = shapely.total_bounds([*ground, *(each.geom for each in near)]).tolist()
    return list(queries.grids_around(db, (wider[0], wider[1], wider[2], wider[3])))


def faults_in(case: Case) -> tuple[ChangeFault, ...]:
    """Return the faults of a case. Heavy: call it outside of the event loop and of writes.

    Raises:
        InvalidBody: if the grids cross one another everywhere.
    """
    content = case.content
    try:
        return faults_of(
            case.proposal,
            tolerance=content.tolerance,
            parent=content.ground,
            buildings=content.buildings,
        )
    except GeoError as fault:
        raise unacceptable(fault) from None


def checked(case: Case) -> CheckedBody:
    """Return what is wrong with a case, at most `FAULTS_MAX` faults."""
    found = faults_in(case)
    return CheckedBody(
        publishable=not any(each.refused for each in found),
        faults=[_fault_body(each) for each in found[:FAULTS_MAX]],
        faults_total=len(found),
    )


def _fault_body(fault: ChangeFault) -> FaultBody:
    return FaultBody(
        fault=fault.kind,
        grids=list(fault.grids),
        area_m2=round(fault.area_m2, _AREA_DIGITS),
        width_m=None if fault.width_m is None else round(fault.width_m, _AREA_DIGITS),
        lon=fault.place.lon,
        lat=fault.place.lat,
        witness=dump_geometry(fault.witness),
        refused=fault.refused,
    )
