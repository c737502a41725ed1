"""The cells of a stored record, read only when they are looked at.

A push usually touches one field of a record and shows the others. Those are passed through as
they were written: their value is read off the text, and they are written back unread.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sync.record import Cell, Head, Past

Written = list[Any]
CONSOLE, CARRIED = 1, 2
"""What the last number of a written head adds up, if it has one."""


class Cells(Mapping[str, Cell]):
    """A mapping of field name to cell over what `sync.codec` wrote; it never changes.

    Ask for it by `type(fields) is Cells`: `isinstance` of an abstract class is slow, and this
    is asked many times a push. It has no subclasses.
    `written` holds the text's own lists, `devices` the devices they refer to by position, and
    `changed` the cells that replace or add to them.
    """

    __slots__ = ("_changed", "_read", "_written", "devices")

    def __init__(
        self,
        written: Mapping[str, Written],
        devices: list[str],
        changed: Mapping[str, Cell] | None = None,
    ) -> None:
        self._written = written
        self._changed: Mapping[str, Cell] = changed or {}
        self._read: dict[str, Cell] = {}
        self.devices = devices

    def __getitem__(self, name: str) -> Cell:  # type: ignore[explicit-override]  # 3.12
        cell = self._changed.get(name) or self._read.get(name)
        if cell is None:
            cell = self._read[name] = cell_in(self._written[name], self.devices)
        return cell

    def __iter__(self) -> Iterator[str]:  # type: ignore[explicit-override]  # 3.12
        yield from self._written
        for name in self._changed:
            if name not in self._written:
                yield name

    def __contains__(self, name: object) -> bool:  # type: ignore[explicit-override]  # 3.12
        # The inherited one looks by trying to read, and this is asked ten times a change.
        return name in self._written or name in self._changed

    def __len__(self) -> int:  # type: ignore[explicit-override]  # 3.12
        return len(self._written.keys() | self._changed.keys())

    def with_cells(self, cells: Mapping[str, Cell]) -> "Cells":
        """Return these cells with some replaced or added."""
        return Cells(self._written, self.devices, {**self._changed, **cells})

    def unread(self, name: str) -> Written | None:
        """Return a cell as it was written, None if it was changed since."""
        return None if name in self._changed else self._written.get(name)

    def unchanged(self) -> dict[str, Written]:
        """Return the cells that are still as they were written, by name, in their order."""
        written = dict(self._written)
        for name in self._changed:
            written.pop(name, None)
        return written

    def fuller(self) -> list[str]:
        """Return the names of the cells whose value cannot be read off, in no order."""
        written = self._written.items()
        full = [name for name, each in written if type(each[0]) is list]
        return [*(name for name in full if name not in self._changed), *self._changed]

    def rewritten(self, write: Callable[[Cell], Written]) -> dict[str, Written]:
        """Return all cells as they are to be written: those unchanged as they were."""
        changed = {name: write(cell) for name, cell in self._changed.items()}
        return {**self._written, **changed}


def is_plain(written: Written) -> bool:
    """Say whether a written cell has one head and nothing beside it.

    Then its first member is the value shown, and it is in no conflict.
    """
    return not isinstance(written[0], list)


def overlay(fields: Mapping[str, Cell], cells: Mapping[str, Cell]) -> Mapping[str, Cell]:
    """Return the fields of a record with some cells replaced or added."""
    if type(fields) is Cells:
        return fields.with_cells(cells)
    return {**fields, **cells}


def cell_in(written: Written, devices: list[str]) -> Cell:
    """Return the cell that was written."""
    if is_plain(written):
        return Cell((head_in(written, devices),))
    heads, kept, past, aside = written
    return Cell(
        heads=tuple(head_in(each, devices) for each in heads),
        kept=tuple(head_in(each, devices) for each in kept),
        past=tuple(Past(until_rev=each[0], head=head_in(each[1:], devices)) for each in past),
        aside=tuple(head_in(each, devices) for each in aside),
    )


def head_in(written: Written, devices: list[str]) -> Head:
    """Return the head that was written."""
    # By position: this runs for every head of every cell that is looked at.
    value, rev, device, n, at_ms, *flags = written
    if not flags:
        return Head(value, rev, devices[device], n, at_ms)
    return Head(
        value, rev, devices[device], n, at_ms, bool(flags[0] & CONSOLE), flags[0] >= CARRIED
    )
