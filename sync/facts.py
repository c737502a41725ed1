"""What the rules themselves write into a new record, and which bucket it lives in."""

from collections.abc import Iterable, Mapping
from typing import Any

from sync.kinds import KINDS, Home, Kind
from sync.merge import Rule, Stamp, head_of, shown
from sync.mutation import EMPTY
from sync.record import Cell, Record, Status
from sync.sheet import CONFIG_BUCKET, Deed, Sheet

_AREA = "area:"
_GRID = "grid:"
_USER = "user:"


def grid_bucket(grid: str) -> str:
    """Return the bucket of a grid."""
    return _GRID + grid


def area_bucket(area: str) -> str:
    """Return the bucket of what is announced in an area."""
    return _AREA + area


def grid_in(bucket: str) -> str | None:
    """Return the id of the grid whose bucket this is, None for other buckets."""
    return bucket[len(_GRID) :] if bucket.startswith(_GRID) else None


def bucket_after(
    record: Record, cells: Mapping[str, Cell], rules: Mapping[str, Rule]
) -> str | None:
    """Return the bucket a record moves to when its grid was set, None if it stays."""
    if "grid" not in cells or KINDS[record.kind].home is not Home.GRID:
        return None
    grid = shown(cells["grid"], rules["grid"])
    return None if grid is None else grid_bucket(grid)


def user_bucket(account: str) -> str:
    """Return the bucket of an account."""
    return _USER + account


def written(value: Any, stamp: Stamp) -> Cell:
    """Return the first cell of a field."""
    return Cell(heads=(head_of(value, stamp),))


def derived_values(kind: Kind, deed: Deed) -> dict[str, Any]:
    """Return the fields of a new record that its author does not write."""
    account = deed.author.account
    values: dict[str, Any] = {}
    match kind.name:
        case "report":
            values = {"observed_at_ms": deed.at_ms, "reporter": account}
            if deed.located is not None:
                values["certain"] = deed.located.certain
        case "incident":
            values = {"observed_at_ms": deed.at_ms}
        case "visit":
            values = {"visited_at_ms": deed.at_ms, "visitor": account}
        case "note":
            values = {"written_at_ms": deed.at_ms, "author": account}
        case _:
            return values
    return values | place_values(kind, deed)


def place_values(kind: Kind, deed: Deed) -> dict[str, Any]:
    """Return the measured place as a kind holds it: WGS 84, with the label it came with."""
    position = deed.mutation.position
    if deed.located is None or position is None or "datum" not in kind.fields:
        return {}
    return {
        "lon_e7": deed.located.lon_e7,
        "lat_e7": deed.located.lat_e7,
        "accuracy_cm": position.accuracy_cm,
        "datum": position.datum.value,
    }


def parent_of(sheet: Sheet, kind: Kind, deed: Deed) -> tuple[str, Record | None] | None:
    """Return the field that names the parent of a new record, and the parent if it is known.

    None when the kind has no parents or the author named none.
    """
    given = deed.mutation.set
    name = next((each for each in kind.parents if given.get(each) is not None), None)
    if name is None:
        return None
    record = sheet.get(given[name])
    wanted = getattr(kind.fields[name].type, "kind", None)
    if record is not None and wanted not in {"record", record.kind}:
        record = None
    return name, record


def bucket_under(parent: Record, deed: Deed) -> str:
    """Return the bucket of a new record under `parent`: the same, unless that is for all."""
    if parent.bucket.startswith((_GRID, _USER)):
        return parent.bucket
    return deed.author.home_bucket


def bucket_of_new(sheet: Sheet, kind: Kind, deed: Deed) -> str | None:
    """Return the bucket of a new record without a parent, None if it names no known grid.

    A console's word about the grid counts more than the measured place, a phone's less. A fact
    whose grid is unknown goes to the bucket of its author rather than being refused.
    """
    if kind.home is Home.SELF:
        return grid_bucket(deed.mutation.record)
    if kind.home is Home.CONFIG:
        return CONFIG_BUCKET
    if kind.home is Home.AREA:
        return area_bucket(deed.mutation.set["area"])
    located = None if deed.located is None else deed.located.grid
    named = deed.mutation.set.get("grid")
    if located is not None and (named is None or not deed.author.console):
        return grid_bucket(located)
    if named is None or (kind.create_only and sheet.of_kind(named, "grid") is None):
        return deed.author.home_bucket
    return None if sheet.of_kind(named, "grid") is None else grid_bucket(named)


def new_record(  # noqa: PLR0913 - the parts of a record
    deed: Deed,
    kind: str,
    record_id: str,
    values: Mapping[str, Any],
    *,
    bucket: str,
    sets: Mapping[str, Iterable[str]] = EMPTY,
    status: Status | None = None,
) -> Record:
    """Return a new record of `kind`, with the grid of its bucket, at revision 1.

    Values that are None or that the kind has no field for are left out.
    """
    stamp = deed.stamp(rev=1, base=0)
    grid = grid_in(bucket)
    known = KINDS[kind].fields
    filled = values if grid is None else {**values, "grid": grid}
    return Record(
        id=record_id,
        kind=kind,
        bucket=bucket,
        rev=1,
        fields={
            name: written(value, stamp)
            for name, value in filled.items()
            if value is not None and name in known
        },
        sets={
            name: {each: written(True, stamp) for each in elements}  # noqa: FBT003
            for name, elements in sets.items()
            if elements
        },
        status=status,
        run_device=deed.author.device,
    )
