"""What rows about dwellings ask for: an address and a point, in the grid that holds it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from geo.datum import Datum, to_wgs84
from server.imports import queries
from server.imports.batches import Batch
from server.imports.cells import Cells, Row
from server.imports.report import Code, ImportReport
from server.imports.writing import Wanted
from server.replication.locating import published
from sync.ids import derived_id
from sync.kinds import DWELLING

_E7 = 10**7
_METRES = (
    "lon and lat are degrees; convert metres first, for example with `ogr2ogr -t_srs EPSG:4326`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dwelling:
    """One checked line; the place in WGS 84 degrees, `grid` a code or ""."""

    row: int
    code: str
    address: str
    lon: float
    lat: float
    grid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the store knows about the codes of a file; `located` is by position in it."""

    grids: dict[str, str]
    dwellings: dict[str, str]
    located: list[str | None]


def read_dwelling(row: Row, report: ImportReport) -> Dwelling | None:
    """Check one line, convert its place to WGS 84, or note every fault of it."""
    cells = Cells(row, DWELLING, report)
    cells.text("code", "address")
    lon, lat = cells.number("lon"), cells.number("lat")
    datum = cells.raw("datum") or Datum.WGS84.value
    if datum not in set(Datum):
        cells.refuse("datum", f"must be one of {', '.join(Datum)}")
    for column, value, limit in (("lon", lon, 180), ("lat", lat, 90)):
        if value is not None and abs(value) > limit:
            cells.refuse(column, f"is outside -{limit} to {limit}", _METRES)
    if lon is None or lat is None or not cells.good:
        return None
    lon, lat = to_wgs84(lon, lat, datum)
    return Dwelling(
        row=row.number,
        code=cells.values["code"],
        address=cells.values["address"],
        lon=lon,
        lat=lat,
        grid=cells.raw("grid"),
    )


def known_about(db: Connection, dwellings: Sequence[Dwelling], batch: Batch) -> Known:
    """Ask the store for grids and dwellings, and locate the points."""
    index, span = published(db).index, batch.span
    located = index.locate_many([d.lon for d in dwellings], [d.lat for d in dwellings])
    inside = queries.grids_among(db, sorted({each for each in located if each}), span)
    codes = sorted({each.grid for each in dwellings if each.grid})
    return Known(
        grids=queries.grids_with(db, codes, span),
        dwellings=queries.dwellings_with(db, [each.code for each in dwellings]),
        located=[each if each in inside else None for each in located],
    )


def plan_dwellings(db: Connection, rows: Sequence[Row], batch: Batch) -> list[Wanted]:
    """Return what rows want of dwellings; one outside every grid is refused."""
    found = (read_dwelling(row, batch.report) for row in rows)
    dwellings = [each for each in found if each is not None]
    known = known_about(db, dwellings, batch)
    wanted = []
    for each, located in zip(dwellings, known.located, strict=True):
        grid = known.grids.get(each.grid) if each.grid else located
        if grid is None:
            reason = "no grid has this code" if each.grid else "the point lies in no grid"
            column = "grid" if each.grid else "lon"
            batch.report.refuse(each.row, column, reason, code=Code.UNKNOWN)
            continue
        wanted.append(_wanted(each, grid, known))
    # A transaction locks the buckets it writes to: neighbours together, and it locks few.
    return sorted(wanted, key=lambda each: (each.set["grid"], each.row))


def _wanted(dwelling: Dwelling, grid: str, known: Known) -> Wanted:
    values = {
        "code": dwelling.code,
        "address": dwelling.address,
        "lon_e7": round(dwelling.lon * _E7),
        "lat_e7": round(dwelling.lat * _E7),
        "grid": grid,
    }
    record = known.dwellings.get(dwelling.code) or derived_id("dwelling", dwelling.code)
    return Wanted(row=dwelling.row, record=record, kind="dwelling", set=values)
