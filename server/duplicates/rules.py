"""How alike two people or two households look, from their search keys alone.

Points are added for each reason. They say where a person should look first, and nothing about
anybody: no record is scored by itself, only a pair, and a pair only inside one scope.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

SUGGESTED_FROM: Final = 60
POINTS: Final[Mapping[str, int]] = {
    "same-name": 45,
    "similar-name": 25,
    "same-birth-year": 20,
    "same-phone": 35,
    "same-dwelling": 30,
    "same-household": 25,
    "same-door": 30,
    "same-residents": 35,
}
YEARS_APART: Final = -30
"""Two birth years that are further apart than a slip of writing."""
YEARS_SLIP: Final = 1
SIMILAR_CHARS_MIN: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A resident as the finder sees one: ids, keys and a year; never what was typed."""

    id: str
    household: str
    dwelling: str | None
    name_key: str | None
    phone_key: str | None
    birth_year: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A household as the finder sees one; `names` are the name keys of its residents."""

    id: str
    dwelling: str
    door_key: str | None
    phone_key: str | None
    names: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How alike two records look, 0 to 100, and by what; the reasons are in order of name."""

    score: int
    reasons: tuple[str, ...]

    @property
    def suggested(self) -> bool:
        """Whether a person should look at the pair."""
        return self.score >= SUGGESTED_FROM


def alike_people(one: Person, other: Person) -> Likeness:
    """Return how alike two residents look. Who is named otherwise is somebody else."""
    name = _name_reason(one.name_key, other.name_key)
    if name is None:
        return Likeness(score=0, reasons=())
    reasons = [name]
    if _same(one.phone_key, other.phone_key):
        reasons.append("same-phone")
    if one.household == other.household:
        reasons.append("same-household")
    elif _same(one.dwelling, other.dwelling):
        reasons.append("same-dwelling")
    apart = 0
    if one.birth_year is not None and other.birth_year is not None:
        if one.birth_year == other.birth_year:
            reasons.append("same-birth-year")
        elif abs(one.birth_year - other.birth_year) > YEARS_SLIP:
            apart = YEARS_APART
    return _likeness(reasons, apart)


def alike_homes(one: Home, other: Home) -> Likeness:
    """Return how alike two households look. A door counts only in the same dwelling."""
    reasons = []
    if one.dwelling == other.dwelling:
        reasons.append("same-dwelling")
        if _same(one.door_key, other.door_key):
            reasons.append("same-door")
    if _same(one.phone_key, other.phone_key):
        reasons.append("same-phone")
    if not one.names.isdisjoint(other.names):
        reasons.append("same-residents")
    return _likeness(reasons, 0)


def _likeness(reasons: Iterable[str], apart: int) -> Likeness:
    named = tuple(sorted(reasons))
    points = sum(POINTS[each] for each in named) + apart
    return Likeness(score=min(max(points, 0), 100), reasons=named)


def _same(one: str | None, other: str | None) -> bool:
    return one is not None and one == other


def _name_reason(one: str | None, other: str | None) -> str | None:
    if one is None or other is None:
        return None
    if one == other:
        return "same-name"
    return "similar-name" if similar(one, other) else None


def similar(one: str, other: str) -> bool:
    """Say whether two different keys differ by one slip, or by the order of their letters.

    A slip is one character more, less or otherwise. Keys of less than two characters are
    similar to nothing, and of two characters one must be the other turned round.
    """
    shorter, longer = sorted((one, other), key=lambda each: (len(each), each))
    if len(shorter) < SIMILAR_CHARS_MIN or len(longer) - len(shorter) > 1:
        return False
    if sorted(one) == sorted(other):
        return True
    if len(shorter) == SIMILAR_CHARS_MIN:
        return False
    return _one_slip(shorter, longer)


def _one_slip(shorter: str, longer: str) -> bool:
    at = 0
    while at < len(shorter) and shorter[at] == longer[at]:
        at += 1
    if len(shorter) == len(longer):
        return shorter[at + 1 :] == longer[at + 1 :]
    return shorter[at:] == longer[at + 1 :]


def pairs_of(blocks: Iterable[Iterable[str]]) -> Iterator[tuple[str, str]]:
    """Yield each pair of ids that share a block, once, the lower id first, in order."""
    found = {pair for block in blocks for pair in combinations(sorted(set(block)), 2)}
    yield from sorted(found)
