"""Published lists of administrative divisions: what is in them, and what changed between two.

Codes are those of the national statistics: 2 digits a province, 4 a city, 6 a county, 9 a town
or street, 12 a village or community; shorter ones are filled up with zeros, and then some
collide. A list also names levels that exist on paper only (a "municipal district" of a city
without offices). The area tree has neither those nor provinces: it begins at cities.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from geo.errors import GeoError

DIVISION_LEVELS: Final = ("country", "province", "city", "county", "town", "village")
CODE_DIGITS: Final = 12
_LENGTHS: Final = frozenset({2, 4, 6, 9, CODE_DIGITS})
_RANK: Final = MappingProxyType({name: at for at, name in enumerate(DIVISION_LEVELS)})
_TREE_LEVEL: Final = MappingProxyType({"city": 1, "county": 2, "town": 3, "village": 4})
_ON_PAPER: Final = frozenset(
    {"市辖区", "县", "省直辖县级行政区划", "自治区直辖县级行政区划", "市"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """One row of a list: `row` is its place, `code` and `parent` have 12 digits."""

    row: int
    code: str
    name: str
    level: str
    parent: str | None

    @property
    def on_paper(self) -> bool:
        """Whether it is a level that has no office: a city or county that is only a heading."""
        return self.level in {"city", "county"} and self.name in _ON_PAPER


@dataclass(frozen=True, slots=True, kw_only=True)
class Collision:
    """A code that several rows have: `kept` is the row of the highest level, `left` others."""

    code: str
    kept: Division
    left: tuple[Division, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """A list in which every code stands once, by code, and what collided."""

    divisions: Mapping[str, Division]
    collisions: tuple[Collision, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedDivision:
    """A division as an area of the tree: `level` 1 to 4, and the code of the area above it.

    `parent` None: nothing of the list that has a place in the tree is above it. `listed` says
    whether the list names what is directly above it at all.
    """

    row: int
    code: str
    name: str
    level: int
    parent: str | None
    listed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelChanges:
    """What changed at one level between two lists: codes in order, `renamed` old and new."""

    kept: int
    vanished: tuple[str, ...]
    appeared: tuple[str, ...]
    renamed: Mapping[str, tuple[str, str]]


def full_code(code: str) -> str:
    """Return a code with 12 digits.

    Raises:
        GeoError: `wrong-code` if it has another length, or anything but digits.
    """
    if len(code) not in _LENGTHS or not (code.isascii() and code.isdigit()):
        raise GeoError("/code", "wrong-code", "A code has 2, 4, 6, 9 or 12 digits")
    return code.ljust(CODE_DIGITS, "0")


def hierarchy(rows: Iterable[Division]) -> Hierarchy:
    """Return a list with each code once: of several rows the one of the highest level.

    A city without counties is listed as its own only county, with the same code when that is
    filled up: the county is the one that does not exist. Of one level the first row counts.
    """
    by_code: dict[str, list[Division]] = {}
    for each in rows:
        by_code.setdefault(each.code, []).append(each)
    found: dict[str, Division] = {}
    collisions = []
    for code, several in by_code.items():
        kept, *left = sorted(several, key=lambda each: (_RANK[each.level], each.row))
        found[code] = kept
        if left:
            collisions.append(Collision(code=code, kept=kept, left=tuple(left)))
    return Hierarchy(divisions=found, collisions=tuple(collisions))


def compared(before: Hierarchy, after: Hierarchy) -> dict[str, LevelChanges]:
    """Return what changed at every level that both lists have, by level, from the top.

    A code that changed its level has vanished at one and appeared at the other.
    """
    old, new = _names(before), _names(after)
    return {
        level: _changes(old[level], new[level])
        for level in DIVISION_LEVELS
        if level in old and level in new
    }


def _names(listed: Hierarchy) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for each in listed.divisions.values():
        found.setdefault(each.level, {})[each.code] = each.name
    return found


def _changes(old: Mapping[str, str], new: Mapping[str, str]) -> LevelChanges:
    both = old.keys() & new.keys()
    return LevelChanges(
        kept=len(both),
        vanished=tuple(sorted(old.keys() - new.keys())),
        appeared=tuple(sorted(new.keys() - old.keys())),
        renamed={
            code: (old[code], new[code]) for code in sorted(both) if old[code] != new[code]
        },
    )


def placed(listed: Hierarchy) -> list[PlacedDivision]:
    """Return the areas that a list makes, in the order of its rows.

    Left out are the country, provinces, and what exists on paper only; what is below them hangs
    under the nearest area above. A province all of whose cities are on paper is a city.
    """
    cities = _municipalities(listed.divisions)
    found = []
    for each in listed.divisions.values():
        level = 1 if each.code in cities else _TREE_LEVEL.get(each.level)
        if level is not None and not each.on_paper:
            found.append(
                PlacedDivision(
                    row=each.row,
                    code=each.code,
                    name=each.name,
                    level=level,
                    parent=None if level == 1 else _above(each, listed.divisions, cities),
                    listed=each.parent is None or each.parent in listed.divisions,
                )
            )
    return sorted(found, key=lambda each: each.row)


def _municipalities(divisions: Mapping[str, Division]) -> frozenset[str]:
    """The provinces that are cities themselves."""
    kinds: dict[str, set[bool]] = {}
    for each in divisions.values():
        if each.level == "city" and each.parent is not None:
            kinds.setdefault(each.parent, set()).add(each.on_paper)
    return frozenset(code for code, on_paper in kinds.items() if on_paper == {True})


def _above(
    each: Division, divisions: Mapping[str, Division], cities: frozenset[str]
) -> str | None:
    """The code of the nearest division above that is an area; it ends: levels only rise."""
    parent = divisions.get(each.parent or "")
    while parent is not None and _RANK[parent.level] < _RANK[each.level]:
        in_tree = parent.level in _TREE_LEVEL and not parent.on_paper
        if in_tree or parent.code in cities:
            return parent.code
        each, parent = parent, divisions.get(parent.parent or "")
    return None
