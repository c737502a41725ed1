"""Walk the records of a scope in the order of their ids and find what looks like them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from server.areas.scope import Scope
from server.duplicates import queries
from server.duplicates.queries import DbRow
from server.duplicates.rules import (
    Home,
    Likeness,
    Person,
    alike_homes,
    alike_people,
    pairs_of,
)

START: Final = ("", "")
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """How many records are looked at together, and how often for one page."""

    rows: int = 500
    chunks: int = 10


WALK: Final = Walk()


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    """Two records that look alike; `first` is the lower id."""

    first: str
    second: str
    likeness: Likeness


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Some suggestions in order, and after which pair to go on; None at the end."""

    items: Sequence[Suggested]
    after: Pair | None


def suggested(
    db: Connection,
    scope: Scope,
    kind: str,
    *,
    after: Pair | None,
    limit: int,
    walk: Walk = WALK,
) -> Found:
    """At most `limit` pairs after a pair, of records in scope, but for those ruled distinct.

    It looks at a number of records at most, and may find none among them although there are
    others later.
    """
    found: list[Suggested] = []
    at = START if after is None else after
    for _ in range(walk.chunks):
        rows, fresh = _look(db, scope, kind, at, rows_max=walk.rows)
        found += fresh
        if len(found) > limit:
            last = found[limit - 1]
            return Found(items=found[:limit], after=(last.first, last.second))
        if len(rows) <= walk.rows:
            return Found(items=found, after=None)
        at = (rows[walk.rows].id, "")
    return Found(items=found, after=at)


def _look(
    db: Connection, scope: Scope, kind: str, at: Pair, *, rows_max: int
) -> tuple[Sequence[DbRow], list[Suggested]]:
    """One record more than `rows_max` from a pair on, and what is suggested of the others."""
    look, alike = _KINDS[kind]
    rows, members, pairs = look(db, scope, at[0] or None, rows_max + 1)
    here = {row.id for row in rows[:rows_max]}
    scored = [
        Suggested(first=first, second=second, likeness=likeness)
        for first, second in pairs
        if first in here
        and (first, second) > at
        and (likeness := alike(members[first], members[second])).suggested
    ]
    ruled = queries.ruled_among(db, [(each.first, each.second) for each in scored])
    return rows, [each for each in scored if (each.first, each.second) not in ruled]


Looked = tuple[Sequence[DbRow], dict[str, Any], Iterable[Pair]]


def _people(db: Connection, scope: Scope, first: str | None, limit: int) -> Looked:
    rows = queries.people_from(db, scope, first=first, limit=limit)
    names = queries.people_sharing(db, scope, "name_key", _held(rows, "name_key"))
    phones = queries.people_sharing(db, scope, "phone_key", _held(rows, "phone_key"))
    near = queries.neighbours(db, scope, _held(rows, "dwelling_id"))
    members = {row.id: _person(row) for row in (*rows, *names, *phones, *near)}
    blocks = [
        *_blocks(names, lambda row: row.name_key),
        *_blocks(phones, lambda row: row.phone_key),
        *_blocks(near, lambda row: (row.dwelling_id, row.birth_year)),
    ]
    return rows, members, pairs_of(blocks)


def _homes(db: Connection, scope: Scope, first: str | None, limit: int) -> Looked:
    rows = queries.homes_from(db, scope, first=first, limit=limit)
    phones = queries.homes_sharing(db, scope, "phone_key", _held(rows, "phone_key"))
    doors = queries.behind_one_door(db, scope, _held(rows, "dwelling_id"))
    here = queries.names_in(db, scope, {row.id for row in rows})
    named = queries.people_sharing(db, scope, "name_key", {row.name_key for row in here})
    others = queries.homes_with(db, scope, {row.household_id for row in named})
    known = {row.id: row for row in (*rows, *phones, *doors, *others)}
    names: dict[str, set[str]] = defaultdict(set)
    for row in queries.names_in(db, scope, known.keys()):
        names[row.household_id].add(row.name_key)
    members = {key: _home(row, frozenset(names[key])) for key, row in known.items()}
    blocks = [
        *_blocks(phones, lambda row: row.phone_key),
        *_blocks(doors, lambda row: (row.dwelling_id, row.door_key)),
        *_blocks(named, lambda row: row.name_key, member=lambda row: row.household_id),
    ]
    together = ([each for each in block if each in members] for block in blocks)
    return rows, members, pairs_of(together)


def _held(rows: Iterable[DbRow], name: str) -> set[str]:
    return {value for row in rows if (value := getattr(row, name)) is not None}


def _blocks(
    rows: Iterable[DbRow],
    key: Callable[[DbRow], Any],
    *,
    member: Callable[[DbRow], str] = lambda row: row.id,
) -> Iterable[list[str]]:
    blocks: dict[Any, list[str]] = defaultdict(list)
    for row in rows:
        blocks[key(row)].append(member(row))
    return blocks.values()


def _person(row: DbRow) -> Person:
    return Person(
        id=row.id,
        household=row.household_id,
        dwelling=row.dwelling_id,
        name_key=row.name_key,
        phone_key=row.phone_key,
        birth_year=row.birth_year,
    )


def _home(row: DbRow, names: frozenset[str]) -> Home:
    return Home(
        id=row.id,
        dwelling=row.dwelling_id,
        door_key=row.door_key,
        phone_key=row.phone_key,
        names=names,
    )


_KINDS: Final[dict[str, tuple[Callable[..., Looked], Callable[..., Likeness]]]] = {
    "resident": (_people, alike_people),
    "household": (_homes, alike_homes),
}
