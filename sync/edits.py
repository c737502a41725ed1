"""What an edit changes: cells of fields and elements of sets, and whether people notice."""

from collections.abc import Mapping
from typing import Any

from sync.merge import ELEMENT, Rule, Stamp, accept, contested_values, shown
from sync.mutation import EMPTY, Mutation
from sync.record import Cell, Record
from sync.state import rules_of


def changed_cells(record: Record, values: Mapping[str, Any], stamp: Stamp) -> dict[str, Cell]:
    """Return the fields that a mutation changes."""
    rules = rules_of(record.kind)
    changed: dict[str, Cell] = {}
    for name, value in values.items():
        cell = accept(record.fields.get(name), value, stamp, rules[name])
        if cell is not None:
            changed[name] = cell
    return changed


def changed_elements(
    record: Record, mutation: Mutation, stamp: Stamp
) -> dict[str, dict[str, Cell]]:
    """Return the elements of set fields that a mutation changes."""
    changed: dict[str, dict[str, Cell]] = {}
    for wanted, present in ((mutation.add, True), (mutation.remove, False)):
        for name, values in wanted.items():
            known: Mapping[str, Cell] = record.sets.get(name, EMPTY)
            for each in values:
                cell = accept(known.get(each), present, stamp, ELEMENT)
                if cell is not None:
                    changed.setdefault(name, {})[each] = cell
    return changed


def joined(
    known: Mapping[str, Mapping[str, Cell]], changed: Mapping[str, Mapping[str, Cell]]
) -> dict[str, Mapping[str, Cell]]:
    """Return the sets of a record with some elements replaced or added."""
    together = dict(known)
    for name, elements in changed.items():
        together[name] = {**known.get(name, EMPTY), **elements}
    return together


def looks_the_same(
    record: Record,
    cells: Mapping[str, Cell],
    sets: Mapping[str, Mapping[str, Cell]],
    rules: Mapping[str, Rule],
) -> bool:
    """Say whether people see what they saw before; the new cells hold no conflict."""
    for name, cell in cells.items():
        before = record.fields.get(name)
        if before is None or contested_values(before, rules[name]):
            return False
        if shown(before, rules[name]) != shown(cell, rules[name]):
            return False
    return all(
        _same_element(record.sets.get(name, EMPTY).get(key), cell)
        for name, elements in sets.items()
        for key, cell in elements.items()
    )


def _same_element(before: Cell | None, after: Cell) -> bool:
    return before is not None and shown(before, ELEMENT) == shown(after, ELEMENT)
