"""Import dwellings: an address and a point each, in the grid that holds the point."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from geo.datum import Datum, to_wgs84
from server.db.store import Store
from server.imports import queries
from server.imports.cells import Cells, FileFault, Row, read_rows
from server.imports.report import ImportReport
from server.imports.writing import Options, Wanted, write_all
from server.replication.locating import published
from sync.ids import derived_id
from sync.kinds import DWELLING

REQUIRED = ("code", "address", "lon", "lat")
OPTIONAL = ("grid", "datum")
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


def known_about(db: Connection, dwellings: Sequence[Dwelling]) -> Known:
    """Ask the store for grids and dwellings, and locate the points."""
    index = published(db).index
    return Known(
        grids=queries.grids_with(db, sorted({each.grid for each in dwellings if each.grid})),
        dwellings=queries.dwellings_with(db, [each.code for each in dwellings]),
        located=index.locate_many([d.lon for d in dwellings], [d.lat for d in dwellings]),
    )


def plan_dwellings(
    dwellings: Sequence[Dwelling], known: Known, report: ImportReport
) -> list[Wanted]:
    """Turn checked lines into wanted records; a dwelling outside every grid is refused."""
    wanted = []
    seen: set[str] = set()
    for each, located in zip(dwellings, known.located, strict=True):
        grid = known.grids.get(each.grid) if each.grid else located
        if each.code in seen:
            report.refuse(each.row, "code", "occurs twice in the file")
        seen.add(each.code)
        if grid is None:
            reason = "no grid has this code" if each.grid else "the point lies in no grid"
            report.refuse(each.row, "grid" if each.grid else "lon", reason)
            continue
        values = {
            "code": each.code,
            "address": each.address,
            "lon_e7": round(each.lon * _E7),
            "lat_e7": round(each.lat * _E7),
            "grid": grid,
        }
        record = known.dwellings.get(each.code) or derived_id("dwelling", each.code)
        wanted.append(Wanted(row=each.row, record=record, kind="dwelling", set=values))
    # A transaction locks the buckets it writes to: neighbours together, and it locks few.
    return sorted(wanted, key=lambda each: (each.set["grid"], each.row))


async def import_dwellings(store: Store, path: Path, options: Options) -> ImportReport:
    """Import a CSV file of dwellings; nothing is written when a line is refused."""
    report = ImportReport(kind="dwellings", dry_run=options.dry_run)
    try:
        rows = list(read_rows(path, required=REQUIRED, optional=OPTIONAL))
    except FileFault as fault:
        report.refuse(0, "", fault.reason, fault.proposal)
        return report
    report.rows = len(rows)
    dwellings = [each for row in rows if (each := read_dwelling(row, report)) is not None]
    if not report.ok:
        return report
    known = await store.read(partial(known_about, dwellings=dwellings))
    wanted = plan_dwellings(dwellings, known, report)
    if report.ok:
        await write_all(store, wanted, options, report)
    return report
