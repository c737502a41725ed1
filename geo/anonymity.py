"""Counts of people that may be published: none can be used to learn about fewer than k.

A count below k is held back, and so is every count that would give it away by subtraction from
the total of a larger area. What is published of one tree of areas is decided once, whoever asks
for whatever part of it: then two extracts together tell no more than the whole.

Why this is safe. Published areas lie inside each other or apart. Take from each published area
the largest published areas inside it: the rests do not overlap, and everything that can be
computed from the published numbers is a sum of rests. So it is enough that every rest counts
nobody or at least k, and that is what `publishable` ensures. It says nothing about changes: who
has two publications of different days sees how a number moved.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

SCREEN_K: Final = 5
"""The smallest number of people or households a count on a screen may be about."""
EXPORT_K: Final = 10
"""The same in a file, which travels."""


@dataclass(slots=True)
class _Node:
    """A place in the tree while it is decided.

    `rest` are those of the place who are in no published place inside it, `largest` the largest
    published places inside it.
    """

    total: int
    rest: int
    largest: set[int] = field(default_factory=set)


def publishable(
    parents: Mapping[int, int | None],
    counts: Mapping[int, int],
    *,
    k: int,
    among: frozenset[int] | None = None,
) -> dict[int, int]:
    """Return the areas whose counts may be published, with the counts of all inside them.

    `parents` is the tree: every area with the one it lies in, or None. `counts` are those who
    live in an area and in none inside it. With `among`, only these areas are considered: give
    it what was published with a smaller k, and both publications together keep that k.

    Raises:
        ValueError: if k is below 2, a count is negative, or an area is not in the tree.
    """
    if k < 2 or any(count < 0 for count in counts.values()):
        raise ValueError("k is at least 2, and a count is not negative")
    if not counts.keys() <= parents.keys():
        raise ValueError("a count is of an area that is not in the tree")
    nodes = {area: _Node(counts.get(area, 0), counts.get(area, 0)) for area in parents}
    published: set[int] = set()
    for area in _innermost_first(parents):
        node = nodes[area]
        if (among is None or area in among) and _covered(node, nodes, published, k):
            published.add(area)
        outer = parents[area]
        if outer is not None:
            _pass_on(area, node, nodes[outer], shown=area in published)
    return {area: nodes[area].total for area in parents if area in published}


def _innermost_first(parents: Mapping[int, int | None]) -> list[int]:
    depths: dict[int, int] = {}
    for area in parents:
        way = []
        here: int | None = area
        while here is not None and here not in depths:
            way.append(here)
            here = parents[here]
        depth = 0 if here is None else depths[here]
        for step, passed in enumerate(reversed(way), 1):
            depths[passed] = depth + step
    return sorted(parents, key=lambda area: (-depths[area], area))


def _covered(node: _Node, nodes: dict[int, _Node], published: set[int], k: int) -> bool:
    """Hold back what gives the rest of a place away; say whether the place may be shown."""
    while 0 < node.rest < k:
        inside = [area for area in node.largest if nodes[area].total]
        if not inside:
            return False
        # One with a rest of its own is enough; among them the smallest is the least loss.
        least = min(inside, key=lambda area: (not nodes[area].rest, nodes[area].total, area))
        published.discard(least)
        node.largest.discard(least)
        node.largest |= nodes[least].largest
        node.rest += nodes[least].rest
    return True


def _pass_on(area: int, node: _Node, outer: _Node, *, shown: bool) -> None:
    outer.total += node.total
    if shown:
        outer.largest.add(area)
    else:
        outer.rest += node.rest
        outer.largest |= node.largest
