"""The five-level area tree and its interval arithmetic.

Every area owns an interval of 64-bit numbers inside its parent's, so "lies in the subtree of"
is `lo <= number <= hi`: one comparison any database can index. Twelve bits belong to each
level; a child takes one of the 4,094 slots of its parent and keeps it for ever, so intervals
never renumber. Slot 0 is never given away: it is where the children of a level that does not
exist in some place (a city without districts) have their room.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from geo.errors import GeoError

LEVELS: Final = ("city", "district", "street", "community", "grid")
LEVEL_STREET, LEVEL_COMMUNITY, LEVEL_GRID = (
    LEVELS.index(name) + 1 for name in ("street", "community", "grid")
)
LEVEL_MAX: Final = len(LEVELS)
ORDINAL_MAX: Final = 4094

_BITS: Final = 12


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The numbers of one subtree, both ends included."""

    lo: int
    hi: int

    def contains(self, other: "Span") -> bool:
        """Tell whether `other` is this span or lies inside it."""
        return self.lo <= other.lo and other.hi <= self.hi


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """One node of the tree. `level` is 1 (city) to 5 (grid)."""

    id: str
    code: str
    name: str
    level: int
    parent_id: str | None
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaEntry:
    """One line of a list of areas to be added, before it has a span."""

    code: str
    level: int
    parent_code: str | None


def child_span(parent: Span | None, level: int, ordinal: int) -> Span:
    """Return the span of the `ordinal`-th area of `level` (1..5) under `parent`.

    `parent` is None for level 1 only in a complete tree; an area may also hang under any higher
    level, when the levels between do not exist in that place.

    Raises:
        GeoError: `level-out-of-range`, `ordinal-out-of-range`, or `not-below-parent` when the
            parent's span is too narrow to hold that level.
    """
    if not 1 <= level <= LEVEL_MAX:
        raise GeoError("/level", "level-out-of-range", f"A level is 1 to {LEVEL_MAX}")
    if not 1 <= ordinal <= ORDINAL_MAX:
        raise GeoError("/ordinal", "ordinal-out-of-range", f"1 to {ORDINAL_MAX} are free")
    width = 1 << _BITS * (LEVEL_MAX - level)
    start = 0 if parent is None else parent.lo
    span = Span(start + ordinal * width, start + (ordinal + 1) * width - 1)
    if parent is not None and not (parent.contains(span) and parent != span):
        raise GeoError("/level", "not-below-parent", "An area is below the level of its parent")
    return span


def level_of(span: Span) -> int:
    """Return the level (1..5) of a span made by `child_span`.

    Raises:
        GeoError: `not-a-span` for any other pair of numbers.
    """
    width = span.hi - span.lo + 1
    for level in range(1, LEVEL_MAX + 1):
        if width == 1 << _BITS * (LEVEL_MAX - level) and span.lo % width == 0 < span.lo:
            return level
    raise GeoError("", "not-a-span", "The numbers are not the span of an area")


def ordinal_of(span: Span) -> int:
    """Return which slot of its parent a span takes, the inverse of `child_span`."""
    return span.lo // (span.hi - span.lo + 1) & ((1 << _BITS) - 1)


def line_of(area_no: int) -> tuple[int, ...]:
    """Return where an area's span and those of all areas above it may begin, nearest first.

    `area_no` is the `lo` of a span. A level that does not exist in some place has no number.
    """
    starts = (area_no >> _BITS * above << _BITS * above for above in range(LEVEL_MAX))
    return tuple(start for start in dict.fromkeys(starts) if start > 0)


def assign_spans(
    entries: Iterable[AreaEntry], taken: Mapping[str, Span] | None = None
) -> dict[str, Span]:
    """Return a span for every new area, by code.

    Codes already in `taken` keep their spans. New ones follow in the order of their codes, each
    after the highest slot ever taken under its parent, so the same list always gives the same
    spans and nothing that exists moves.

    Raises:
        GeoError: with a pointer to the entry: `duplicate-code`, `unknown-parent`,
            `level-out-of-range`, `not-below-parent`, or `ordinal-out-of-range` for a full
            parent.
    """
    indexed = list(enumerate(entries))
    spans = dict(taken or {})
    last = _last_ordinals(spans.values())
    listed: set[str] = set()
    for index, entry in sorted(indexed, key=lambda pair: (pair[1].level, pair[1].code)):
        if entry.code in listed:
            raise GeoError(f"/{index}/code", "duplicate-code", "The code occurs twice")
        listed.add(entry.code)
        if entry.code in spans:
            continue
        spans[entry.code] = _next_span(index, entry, spans, last)
    return spans


def _next_span(
    index: int, entry: AreaEntry, spans: Mapping[str, Span], last: dict[tuple[int, int], int]
) -> Span:
    parent = None if entry.parent_code is None else spans.get(entry.parent_code)
    if entry.parent_code is not None and parent is None:
        raise GeoError(f"/{index}/parent", "unknown-parent", "The parent is not known")
    slot = (entry.level, 0 if parent is None else parent.lo)
    try:
        span = child_span(parent, entry.level, last.get(slot, 0) + 1)
    except GeoError as fault:
        raise GeoError(f"/{index}{fault.pointer}", fault.reason, fault.detail) from None
    last[slot] = ordinal_of(span)
    return span


def _last_ordinals(spans: Iterable[Span]) -> dict[tuple[int, int], int]:
    """The highest slot taken for each (level, start of the level's room)."""
    last: dict[tuple[int, int], int] = {}
    for span in spans:
        slot = (level_of(span), _room(span))
        last[slot] = max(last.get(slot, 0), ordinal_of(span))
    return last


def _room(span: Span) -> int:
    return span.lo - ordinal_of(span) * (span.hi - span.lo + 1)


class AreaTree:
    """An immutable tree of areas; built once per version of the tree, then only read."""

    __slots__ = ("_by_code", "_by_id", "_children", "_ordered")

    def __init__(self, areas: Iterable[Area]) -> None:
        """Check and index the areas, given in any order.

        Raises:
            GeoError: with a pointer to the area's place in the list: `duplicate-id`,
                `duplicate-code`, `duplicate-span`, `unknown-parent`, `not-below-parent`,
                `not-a-span` or `wrong-level`.
        """
        self._by_id: dict[str, Area] = {}
        self._by_code: dict[str, Area] = {}
        listed = tuple(areas)
        starts: set[tuple[int, int]] = set()
        for index, area in enumerate(listed):
            self._add(index, area, starts)
        children: dict[str | None, list[Area]] = {}
        self._ordered = tuple(sorted(listed, key=lambda area: (area.span.lo, area.level)))
        for index, area in enumerate(listed):
            self._check_parent(index, area)
        for area in self._ordered:
            children.setdefault(area.parent_id, []).append(area)
        self._children = {parent: tuple(found) for parent, found in children.items()}

    def _add(self, index: int, area: Area, starts: set[tuple[int, int]]) -> None:
        if area.id in self._by_id:
            raise GeoError(f"/{index}/id", "duplicate-id", "The id occurs twice")
        if area.code in self._by_code:
            raise GeoError(f"/{index}/code", "duplicate-code", "The code occurs twice")
        if (area.span.lo, area.span.hi) in starts:
            raise GeoError(f"/{index}/span", "duplicate-span", "The span occurs twice")
        try:
            level = level_of(area.span)
        except GeoError as fault:
            raise GeoError(f"/{index}/span", fault.reason, fault.detail) from None
        if level != area.level:
            raise GeoError(f"/{index}/level", "wrong-level", "The span has another level")
        starts.add((area.span.lo, area.span.hi))
        self._by_id[area.id] = area
        self._by_code[area.code] = area

    def _check_parent(self, index: int, area: Area) -> None:
        if area.parent_id is None:
            return
        parent = self._by_id.get(area.parent_id)
        if parent is None:
            raise GeoError(f"/{index}/parent", "unknown-parent", "The parent is not known")
        if not parent.span.contains(area.span) or parent.level >= area.level:
            raise GeoError(f"/{index}/span", "not-below-parent", "Not inside its parent")

    @property
    def by_id(self) -> Mapping[str, Area]:
        """All areas by id."""
        return MappingProxyType(self._by_id)

    @property
    def by_code(self) -> Mapping[str, Area]:
        """All areas by code."""
        return MappingProxyType(self._by_code)

    def __iter__(self) -> Iterator[Area]:
        """Every area, parents before their children, siblings by slot."""
        return iter(self._ordered)

    def __len__(self) -> int:
        """How many areas there are."""
        return len(self._ordered)

    def children(self, area_id: str | None) -> tuple[Area, ...]:
        """The areas directly under `area_id` (None: the roots), by slot."""
        return self._children.get(area_id, ())

    def ancestors(self, area_id: str) -> tuple[Area, ...]:
        """The areas above `area_id`, the nearest first, without itself.

        Raises:
            KeyError: if there is no such area.
        """
        above = []
        parent_id = self._by_id[area_id].parent_id
        while parent_id is not None:
            parent = self._by_id[parent_id]
            above.append(parent)
            parent_id = parent.parent_id
        return tuple(above)

    def descendants(self, area_id: str) -> Iterator[Area]:
        """Yield the areas below `area_id` without itself, parents before their children.

        Raises:
            KeyError: if there is no such area.
        """
        for child in self._children.get(self._by_id[area_id].id, ()):
            yield child
            yield from self.descendants(child.id)

    def contains(self, outer_id: str, inner_id: str) -> bool:
        """Tell whether `inner_id` is `outer_id` or lies below it.

        Raises:
            KeyError: if one of them does not exist.
        """
        return self._by_id[outer_id].span.contains(self._by_id[inner_id].span)

    def next_span(self, parent_id: str | None, level: int) -> Span:
        """Return the first span never used for a new area of `level` under `parent_id`.

        Raises:
            GeoError: see `child_span`; a full parent is `ordinal-out-of-range`.
            KeyError: if the parent does not exist.
        """
        parent = None if parent_id is None else self._by_id[parent_id].span
        taken = (
            ordinal_of(child.span) for child in self.children(parent_id) if child.level == level
        )
        return child_span(parent, level, max(taken, default=0) + 1)
