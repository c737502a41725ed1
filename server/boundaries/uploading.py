"""Grids of an uploaded file: written where there are none yet, else drawn up as a draft.

A file that redraws grids in use would move homes and open work without anybody having looked.
So it becomes a boundary change like any other: checked, previewed, published by somebody else.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection

from geo.areas import LEVEL_COMMUNITY
from geo.codes import LAYOUTS, Layout
from geo.geojson import IMPORT_LIMITS
from server.areas.queries import scope_of
from server.boundaries import drafting, queries
from server.boundaries.drawing import VERTICES_MAX, Drawn, Shapes, drawn
from server.boundaries.examining import Case, case_on, checked
from server.boundaries.redrawing import Difference, Standing, difference
from server.boundaries.schemas import (
    IMPORTED_EDITS_MAX,
    CheckedBody,
    FileParameters,
    ImportedBody,
    ImportedDraft,
)
from server.consolewrites import Asking
from server.db.store import Store
from server.identity.principal import Role
from server.imports.cells import FileFault
from server.imports.gridcells import ANY_LAYOUT, Cell, GridRules, read_cells
from server.imports.grids import check_places, import_cells
from server.imports.hints import Fields, Hints
from server.imports.queries import area_ids, areas_named, ground
from server.imports.receiving import read_upload
from server.imports.report import ImportReport
from server.imports.stored import StoredArea
from server.imports.writing import Options
from server.problems import BodyError, Forbidden, InvalidBody, InvalidParameter
from server.replication.submit import Console

USED = "was used before, or elsewhere; codes are never used twice"
UNPACKED_BYTES_MAX = 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What is stored where a file wants to write: `used` are codes of other grids and areas."""

    communities: dict[str, StoredArea]
    standing: tuple[Standing, ...]
    used: frozenset[str]


async def import_file(
    store: Store,
    asking: Asking,
    pieces: AsyncIterator[bytes],
    parameters: FileParameters,
    *,
    reading: asyncio.Semaphore,
) -> ImportedBody:
    """Import the grids of a file inside the caller's area.

    Raises:
        InvalidBody: if the file or one of its grids is refused; nothing is stored then.
        Forbidden: if it would write the first grids of an area and the caller may only draw.
    """
    report = ImportReport(kind="grids", dry_run=parameters.dry_run)
    cells = await _cells(store, pieces, parameters, report, reading=reading)
    place = await store.read(partial(_place, cells=cells))
    span = (asking.principal.area.lo, asking.principal.area.hi)
    check_places(cells, place.communities, span, report)
    _refuse_faults(report)
    if not place.standing:
        return await _written(store, asking, cells, report)
    return await _drafted(store, asking, cells, place, parameters=parameters, report=report)


async def _cells(
    store: Store,
    pieces: AsyncIterator[bytes],
    parameters: FileParameters,
    report: ImportReport,
    *,
    reading: asyncio.Semaphore,
) -> list[Cell]:
    fields = Fields(
        code=parameters.code_field,
        name=parameters.name_field,
        community=parameters.community_field,
        all_in=parameters.community,
    )
    hints = Hints(
        crs=parameters.crs,
        encoding=parameters.encoding,
        layer=parameters.layer,
        fields=fields,
        ground=await store.read(ground),
        limits=IMPORT_LIMITS,
        bytes_max=UNPACKED_BYTES_MAX,
    )
    try:
        features = await read_upload(pieces, hints, reading)
    except FileFault as fault:
        report.refuse(0, "", fault.reason, fault.proposal)
        raise _refusal(report) from None
    rules = GridRules(layout=_layout(parameters), fields=fields)
    cells = await asyncio.to_thread(read_cells, features, report, rules)
    if not cells:
        report.refuse(0, "", "holds no grids")
    _refuse_faults(report)
    return cells


def _layout(parameters: FileParameters) -> Layout | None:
    if parameters.layout == ANY_LAYOUT:
        return None
    try:
        return LAYOUTS[parameters.layout]
    except KeyError:
        reason = f"layout: must be one of {', '.join(LAYOUTS)} or {ANY_LAYOUT}"
        raise InvalidParameter(reason, parameter="layout") from None


def _refuse_faults(report: ImportReport) -> None:
    if report.refused:
        raise _refusal(report)


def _refusal(report: ImportReport) -> InvalidBody:
    faults = [*report.refused, *(each for each in report.coverage if each.refused)]
    errors = [BodyError(pointer="", reason=str(each)) for each in faults]
    return InvalidBody(errors=errors, report=report.as_json())


def _place(db: Connection, cells: Sequence[Cell]) -> _Place:
    names = sorted({cell.community for cell in cells})
    communities = areas_named(db, names, level=LEVEL_COMMUNITY)
    ids = sorted({each.id for each in communities.values()})
    rows = queries.grids_of(db, ids)
    standing = tuple(
        Standing(
            id=row.id,
            code=row.code,
            name=row.name,
            community=row.community_id,
            boundary=row.geom,
        )
        for row in rows
    )
    used = area_ids(db, [cell.code for cell in cells]).keys() - {row.code for row in rows}
    return _Place(communities=communities, standing=standing, used=frozenset(used))


async def _written(
    store: Store, asking: Asking, cells: list[Cell], report: ImportReport
) -> ImportedBody:
    """The first grids of their communities: nothing lives on this ground yet."""
    if asking.principal.role is not Role.ADMIN:
        raise Forbidden("The first grids of an area are imported by an administrator.")
    console = Console(account=asking.principal.account, role=asking.principal.role.value)
    options = Options(console=console, dry_run=report.dry_run)
    await import_cells(store, cells, options, report)
    if not report.ok:
        raise _refusal(report)
    return ImportedBody(
        outcome="checked" if report.dry_run else "written",
        rows=report.rows,
        created=report.created,
        redrawn=0,
        retired=0,
        unchanged=report.unchanged,
        names_kept=0,
        report=report.as_json(),
    )


async def _drafted(
    store: Store,
    asking: Asking,
    cells: Sequence[Cell],
    place: _Place,
    *,
    parameters: FileParameters,
    report: ImportReport,
) -> ImportedBody:
    communities = {name: area.id for name, area in place.communities.items()}
    retire = parameters.missing == "retire"
    found = difference(cells, place.standing, communities, retire=retire)
    _refuse_unexpressible(cells, place, found, report)
    body = ImportedBody(
        outcome="unchanged",
        rows=report.rows,
        created=len(found.created),
        redrawn=len(found.redrawn),
        retired=len(found.retired),
        unchanged=found.unchanged,
        names_kept=found.names_kept,
        report=report.as_json(),
    )
    if not found.edits:
        return body
    draft, shapes = _draft(found, parameters)
    case = await store.read(partial(_case, asking=asking, draft=draft, shapes=shapes))
    check: CheckedBody = await asyncio.to_thread(checked, case)
    if report.dry_run:
        return body.model_copy(update={"outcome": "checked", "check": check})
    made = await store.write(
        partial(drafting.draw_once, asking=asking, body=draft, shapes=shapes)
    )
    update = {"outcome": "drafted", "check": check, "change": made.id, "rev": made.rev}
    return body.model_copy(update=update)


def _refuse_unexpressible(
    cells: Sequence[Cell], place: _Place, found: Difference, report: ImportReport
) -> None:
    """Refuse what no boundary change can say, and what is too much for one."""
    for row in found.moved:
        report.refuse(row, "community", "is not the community of this grid")
    for cell in cells:
        if cell.code in place.used:
            report.refuse(cell.row, "code", USED)
    if found.edits > IMPORTED_EDITS_MAX:
        advice = "import it in parts, or use `jingwei import grids`"
        report.refuse(0, "", f"changes more than {IMPORTED_EDITS_MAX} grids", advice)
    drawn_anew = [*found.created, *(cell for _, cell in found.redrawn)]
    if sum(_vertices(cell.boundary) for cell in drawn_anew) > VERTICES_MAX:
        report.refuse(0, "", f"changes more than {VERTICES_MAX} vertices", "import it in parts")
    _refuse_faults(report)


def _vertices(shape: BaseGeometry) -> int:
    return int(shapely.get_num_coordinates(shape))


def _draft(found: Difference, parameters: FileParameters) -> tuple[ImportedDraft, Shapes]:
    """The edits as an endpoint would get them; their shapes are read already."""
    edits: list[dict[str, object]] = []
    shapes: list[tuple[BaseGeometry, ...]] = []
    for cell in found.created:
        grid = {"code": cell.code, "name": cell.name, "boundary": {}}
        edits.append({"edit": "create", "community": cell.community, "grid": grid})
        shapes.append((cell.boundary,))
    for grid_id, cell in found.redrawn:
        edits.append({"edit": "redraw", "grid": grid_id, "boundary": {}})
        shapes.append((cell.boundary,))
    for grid_id in found.retired:
        edits.append({"edit": "retire", "grid": grid_id})
        shapes.append(())
    body = ImportedDraft.model_validate({"reason": parameters.reason, "edits": edits})
    return body, Shapes(of_edits=tuple(shapes), ground=None, buildings=())


def _case(db: Connection, *, asking: Asking, draft: ImportedDraft, shapes: Shapes) -> Case:
    scope = scope_of(db, asking.principal, asking.now_ms)
    wanted: Drawn = drawn(db, scope, draft, shapes)
    return case_on(db, scope, wanted.content, wanted.base)
