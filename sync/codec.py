"""A record's truth as compact JSON, for the one column that holds it.

Devices are written once and referred to by position. A cell with a single head and nothing
beside it, which is nearly every cell, is one flat list whose first member is the value; a
fuller cell is a list of four lists.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sync.cells import CARRIED, CONSOLE, Cells, cell_in
from sync.known import Located
from sync.mutation import Quality
from sync.record import Cell, Credit, Head, Record, Status

_encode = json.JSONEncoder(
    check_circular=False,  # values were parsed from JSON, where there is none
    ensure_ascii=False,
    allow_nan=False,
    separators=(",", ":"),
).encode
_QUALITIES = tuple(Quality)
DEVICES_MAX = 64
"""Beyond this many devices a text is written anew, so that only those it needs are listed."""


class _Devices:
    """Gives each device the position at which it is listed."""

    __slots__ = ("positions",)

    def __init__(self, known: Iterable[str] = ()) -> None:
        self.positions = {device: position for position, device in enumerate(known)}

    def __call__(self, device: str) -> int:
        return self.positions.setdefault(device, len(self.positions))


def encode_record(record: Record) -> str:
    """Return the fields, sets, status and run of a record as JSON text.

    Id, kind, bucket and rev are columns of their own and are not in it.
    """
    fields = record.fields
    if type(fields) is Cells and len(fields.devices) > DEVICES_MAX:
        fields = dict(fields)
    place = _Devices(fields.devices if type(fields) is Cells else ())
    truth: dict[str, Any] = {"f": _fields_out(fields, place)}
    if record.sets:
        truth["s"] = {
            name: {key: _cell_out(cell, place) for key, cell in elements.items()}
            for name, elements in record.sets.items()
        }
    if record.status is not None:
        truth["t"] = _status_out(record.status, place)
    if record.run_device:
        truth["r"] = [place(record.run_device), record.run_from]
    truth["d"] = list(place.positions)
    return _encode(truth)


def decode_record(  # noqa: PLR0917 - the columns of a row, in their order
    record_id: str, kind: str, bucket: str, rev: int, text: str
) -> Record:
    """Return the record whose truth is `text`; the inverse of `encode_record`.

    Raises:
        ValueError, KeyError, IndexError: if `text` was not written by `encode_record`.
    """
    truth = json.loads(text)
    devices = truth["d"]
    run = truth.get("r")
    status = truth.get("t")
    return Record(
        id=record_id,
        kind=kind,
        bucket=bucket,
        rev=rev,
        fields=Cells(truth["f"], devices),
        sets={
            name: {key: cell_in(each, devices) for key, each in elements.items()}
            for name, elements in truth.get("s", {}).items()
        },
        status=None if status is None else _status_in(status, devices),
        run_device="" if run is None else devices[run[0]],
        run_from=0 if run is None else run[1],
    )


def _fields_out(fields: Mapping[str, Cell], place: Callable[[str], int]) -> dict[str, Any]:
    """What was never looked at is written back as it was, with the devices it refers to."""
    if type(fields) is Cells:
        return fields.rewritten(lambda cell: _cell_out(cell, place))
    return {name: _cell_out(cell, place) for name, cell in fields.items()}


def _cell_out(cell: Cell, place: Callable[[str], int]) -> list[Any]:
    if len(cell.heads) == 1 and not (cell.kept or cell.past or cell.aside):
        return _head_out(cell.heads[0], place)
    return [
        [_head_out(each, place) for each in cell.heads],
        [_head_out(each, place) for each in cell.kept],
        [[each.until_rev, *_head_out(each.head, place)] for each in cell.past],
        [_head_out(each, place) for each in cell.aside],
    ]


def _head_out(head: Head, place: Callable[[str], int]) -> list[Any]:
    flat = [head.value, head.rev, place(head.device), head.n, head.at_ms]
    flags = head.console * CONSOLE + head.carried * CARRIED
    return [*flat, flags] if flags else flat


def _credit_out(credit: Credit | Status, place: Callable[[str], int]) -> list[Any]:
    quality = _QUALITIES.index(credit.quality)
    return [credit.at_ms, credit.by, place(credit.device), credit.n, quality]


def _credit_in(written: list[Any], devices: list[str]) -> Credit:
    at_ms, by, device, n, quality = written
    return Credit(at_ms=at_ms, by=by, device=devices[device], n=n, quality=_QUALITIES[quality])


def _status_out(status: Status, place: Callable[[str], int]) -> list[Any]:
    reached = {name: _credit_out(each, place) for name, each in status.reached.items()}
    head = [status.epoch, status.state, status.since_rev]
    return [*head, _credit_out(status, place), reached]


def _status_in(written: list[Any], devices: list[str]) -> Status:
    epoch, state, since_rev, credit, reached = written
    current = _credit_in(credit, devices)
    return Status(
        epoch=epoch,
        state=state,
        since_rev=since_rev,
        at_ms=current.at_ms,
        by=current.by,
        device=current.device,
        n=current.n,
        quality=current.quality,
        reached=_reached_in(reached, devices),
    )


def _reached_in(written: Mapping[str, list[Any]], devices: list[str]) -> dict[str, Credit]:
    return {name: _credit_in(each, devices) for name, each in written.items()}


def encode_place(located: Located) -> str:
    """Return where a position was found to lie, as JSON text."""
    return _encode([located.grid, located.lon_e7, located.lat_e7, located.certain])


def decode_place(text: str) -> Located:
    """Return what `encode_place` wrote.

    Raises:
        ValueError: if it was written by anything else.
    """
    grid, lon_e7, lat_e7, certain = json.loads(text)
    return Located(grid=grid, lon_e7=lon_e7, lat_e7=lat_e7, certain=certain)
