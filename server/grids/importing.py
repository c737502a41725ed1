"""Import grids that arrive over HTTP, through the importer that files use."""

from typing import Any

from geo.errors import GeoError
from server.db.store import Store
from server.grids.validation import unacceptable
from server.identity.principal import Principal
from server.imports.grids import import_feature_collection
from server.imports.report import ImportReport
from server.imports.writing import Options
from server.layers.systems import ReferenceSystemError, find_system
from server.problems import BodyError, InvalidBody, InvalidParameter
from server.replication.submit import Console

_WHOLE_FILE = 0
_GEOMETRY = "geometry"


def _pointer(row: int, column: str) -> str:
    """Where a refused row stands in the document."""
    if row == _WHOLE_FILE:
        return ""
    feature = f"/features/{row - 1}"
    if column in {"", _GEOMETRY}:
        return f"{feature}/{column}".rstrip("/")
    return f"{feature}/properties/{column}"


def _refused(report: ImportReport) -> InvalidBody:
    rows = [
        BodyError(pointer=_pointer(each.row, each.column), reason=each.reason)
        for each in report.refused
    ]
    shapes = [
        BodyError(pointer="/features", reason=str(each))
        for each in report.coverage
        if each.refused
    ]
    return InvalidBody(errors=[*rows, *shapes], report=report.as_json())


def check_degrees(crs: str | None) -> None:
    """Refuse a document that its sender believes to be in another reference system.

    Raises:
        InvalidParameter: unless `crs` is absent or WGS 84 or CGCS2000 in degrees.
    """
    if crs is None:
        return
    try:
        plain = find_system(crs).project is None
    except ReferenceSystemError as fault:
        raise InvalidParameter(f"crs: {fault}", parameter="crs") from None
    if not plain:
        reason = "GeoJSON is in degrees (RFC 7946); import the file with `jingwei import`"
        raise InvalidParameter(f"crs: {reason}", parameter="crs")


async def import_grids_for(
    store: Store, principal: Principal, document: object, *, dry_run: bool
) -> dict[str, Any]:
    """Import a feature collection inside the caller's area and return the report.

    Raises:
        InvalidBody: if it is no acceptable GeoJSON, or a grid is refused; nothing is written
            then. A dry run reports refused grids without raising.
    """
    options = Options(
        console=Console(account=principal.account, role=principal.role.value),
        dry_run=dry_run,
        span=(principal.area.lo, principal.area.hi),
    )
    try:
        report = await import_feature_collection(store, document, options)
    except GeoError as fault:
        raise unacceptable(fault) from None
    if not report.ok and not dry_run:
        raise _refused(report)
    return report.as_json()
