"""The data catalogue: every field of a record kind and every column, and what is said of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from server.db.holdings import column_holdings
from sync.holding import Holding, holding_of_field, named_fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One field or column: where it is, its name, and its holding (None: nothing is said)."""

    place: str
    name: str
    holding: Holding | None


def kind_entries() -> list[Entry]:
    """Return the fields and sets of every record kind, kind by kind."""
    return [
        Entry(place=kind, name=name, holding=holding_of_field(kind, name))
        for kind, name in named_fields()
    ]


def table_entries() -> list[Entry]:
    """Return the columns of every table, table by table."""
    return [
        Entry(place=each.table, name=each.column, holding=each.holding)
        for each in column_holdings()
    ]


def by_place(entries: list[Entry]) -> Mapping[str, list[Entry]]:
    """Return the entries of each place, in their order."""
    return {place: list(found) for place, found in groupby(entries, lambda each: each.place)}


def unclassified(entries: Iterable[Entry]) -> list[str]:
    """Return the places and names of which nothing, or no purpose, is said."""
    return [
        f"{each.place}.{each.name}"
        for each in entries
        if each.holding is None or not each.holding.purposes
    ]
