"""Cut a graph of weighted places into connected parts of nearly equal weight.

A place is a node with a weight (households), a position and neighbours; an edge has a cost: how
much is lost if its ends come apart, little where a road or a wall lies between them. The same
graph and seed always give the same parts. A part is connected in the graph, always; that it has
about its share of the weight depends on the graph: a house of 600 households cannot be cut.

The first cut is recursive bisection, grown from one end of the ground. Then places at the
borders change sides, one by one or with what they would cut off, as long as that makes the
parts more equal or the borders cheaper. Several first cuts are tried, the best result is kept.
"""

import heapq
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

PARTS_MAX: Final = 100
ATTEMPTS: Final = 3
# What a border that is half as expensive is worth, beside the squares of the deviations.
_BORDER_WORTH: Final = 0.05
# A place changes sides a few times at most; what goes on longer goes in circles.
ROUNDS_MAX: Final = 60
_GAIN_MIN: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A node: its weight, its position on a plane, and the cost of the edge to neighbours."""

    weight: int
    x: float
    y: float
    neighbours: Mapping[int, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """`parts[i]` is the part of place `i`, from 0; `weights` those of the parts.

    `deviation` is the largest distance of a part's weight from the mean, as a share of it.
    """

    parts: tuple[int, ...]
    weights: tuple[int, ...]
    deviation: float


def partition(
    places: Sequence[Place], count: int, *, seed: int = 0, rounds: int = ROUNDS_MAX
) -> Partition:
    """Return `count` connected parts of a connected graph, or fewer where it has no more.

    Args:
        places: every node; edges stand on both sides. Weights are not negative.
        count: 1 to `PARTS_MAX`.
        seed: chooses the directions from which the first cuts are tried.
        rounds: how often at most all places are asked whether they would change sides.

    Raises:
        ValueError: if there are no places, the graph is not connected, or `count` is not in
            its range.
    """
    if not 1 <= count <= PARTS_MAX:
        raise ValueError(f"1 to {PARTS_MAX} parts")
    everything = frozenset(range(len(places)))
    if not places or len(_reach(places, 0, everything)) < len(places):
        raise ValueError("places must be connected")
    found = []
    for attempt in range(ATTEMPTS if count > 1 else 1):
        angle = math.tau * ((seed * 0.6180339887498949 + attempt / ATTEMPTS) % 1.0)
        cut = _Cut(places, _bisected(places, everything, count, angle))
        cut.repair(rounds)
        found.append(cut)
    return min(found, key=_Cut.rank).result()


def _reach(places: Sequence[Place], start: int, among: Collection[int]) -> set[int]:
    """The places that are connected with one, by places of `among`."""
    seen, waiting = {start}, [start]
    while waiting:
        for each in places[waiting.pop()].neighbours:
            if each in among and each not in seen:
                seen.add(each)
                waiting.append(each)
    return seen


def _pieces(places: Sequence[Place], among: Collection[int]) -> list[set[int]]:
    """The connected pieces of some places, the heaviest first."""
    left, found = set(among), []
    for start in sorted(among):
        if start in left:
            piece = _reach(places, start, left)
            left -= piece
            found.append(piece)
    return sorted(found, key=lambda each: (-_weight(places, each), -len(each), min(each)))


def _weight(places: Sequence[Place], some: Iterable[int]) -> int:
    return sum(places[each].weight for each in some)


def _bisected(
    places: Sequence[Place], some: Collection[int], count: int, angle: float
) -> list[set[int]]:
    """Cut connected places into so many connected parts, halving again and again."""
    waiting, done = [(set(some), count, angle)], []
    while waiting:
        group, wanted, towards = waiting.pop()
        wanted = min(wanted, len(group))
        if wanted == 1:
            done.append(group)
            continue
        first = wanted // 2
        grown = _grown(places, group, first / wanted, towards)
        # The next cut goes across this one.
        turned = towards + math.pi / 2
        waiting += [(group - grown, wanted - first, turned), (grown, first, turned)]
    return done


def _grown(places: Sequence[Place], group: set[int], share: float, towards: float) -> set[int]:
    """A connected share of the weight of connected places, whose rest is connected too.

    Neither is empty.
    """
    wanted = _weight(places, group) * share
    order = _by_distance(places, group, towards)
    grown, weight = {order[0]}, places[order[0]].weight
    for each in order[1:-1]:
        if weight + places[each].weight / 2 > wanted:
            break
        grown.add(each)
        weight += places[each].weight
    # What was cut off of the rest comes along.
    return grown.union(*_pieces(places, group - grown)[1:])


def _by_distance(places: Sequence[Place], group: set[int], towards: float) -> list[int]:
    """Connected places in the order of their distance from the outermost in a direction."""
    ahead = (math.cos(towards), math.sin(towards))
    start = max(group, key=lambda i: (places[i].x * ahead[0] + places[i].y * ahead[1], -i))
    best = {start: 0.0}
    waiting, order = [(0.0, start)], []
    done: set[int] = set()
    while waiting:
        far, each = heapq.heappop(waiting)
        if each in done:
            continue
        done.add(each)
        order.append(each)
        here = places[each]
        for other, cost in here.neighbours.items():
            there = places[other]
            # Cheap edges are where people do not pass.
            length = math.hypot(here.x - there.x, here.y - there.y) / min(max(cost, 0.05), 1.0)
            if other in group and far + length < best.get(other, math.inf):
                best[other] = far + length
                heapq.heappush(waiting, (far + length, other))
    return order


class _Cut:
    """Parts that are being repaired."""

    def __init__(self, places: Sequence[Place], groups: Sequence[set[int]]) -> None:
        self.places = places
        self.groups = sorted(groups, key=min)
        self.part = [0] * len(places)
        for number, group in enumerate(self.groups):
            for each in group:
                self.part[each] = number
        self.weights = [_weight(places, group) for group in self.groups]
        self.mean = sum(self.weights) / len(self.groups)
        edges = [cost for each in places for cost in each.neighbours.values()]
        # All borders together are worth about as much as this many parts that are 20 % off.
        self.worth = _BORDER_WORTH * len(self.groups) / max(sum(edges), 1e-9)

    def rank(self) -> tuple[float, float]:
        """The less the better: how unequal the parts are, then what their borders cost."""
        return round(max(self.deviation(), 0.1), 6), self.border()

    def deviation(self) -> float:
        """The largest deviation of a part."""
        if not self.mean:
            return 0.0
        return max(abs(each - self.mean) for each in self.weights) / self.mean

    def border(self) -> float:
        """What the edges between parts cost."""
        return sum(
            cost
            for number, each in enumerate(self.places)
            for other, cost in each.neighbours.items()
            if self.part[other] != self.part[number]
        )

    def result(self) -> Partition:
        """The parts, numbered by their first place."""
        return Partition(
            parts=tuple(self.part), weights=tuple(self.weights), deviation=self.deviation()
        )

    def repair(self, rounds: int) -> None:
        """Let places change sides until nothing is gained, or for so many rounds."""
        for _ in range(rounds):
            if not [each for each in range(len(self.places)) if self._moves(each)]:
                return

    def _moves(self, place: int) -> bool:
        """Move a place to the neighbouring part that gains most, if any does."""
        own = self.part[place]
        beside = sorted({self.part[each] for each in self.places[place].neighbours} - {own})
        if not beside or len(self.groups[own]) < 2:
            return False
        taken = self._with_what_it_cuts_off(place)
        gain, target = max((self._gain(taken, own, each), -each) for each in beside)
        if gain <= _GAIN_MIN:
            return False
        self._move(taken, own, -target)
        return True

    def _with_what_it_cuts_off(self, place: int) -> set[int]:
        """A place, and what is connected with the rest of its part only through it."""
        group = self.groups[self.part[place]]
        inside = [each for each in self.places[place].neighbours if each in group]
        if len(inside) < 2:
            return {place}
        rest = group - {place}
        if len(_reach(self.places, inside[0], rest)) == len(rest):
            return {place}
        return {place}.union(*_pieces(self.places, rest)[1:])

    def _gain(self, taken: set[int], own: int, target: int) -> float:
        weight = _weight(self.places, taken)
        cheaper = 0.0
        for each in taken:
            for other, cost in self.places[each].neighbours.items():
                if other not in taken:
                    cheaper += cost * ((self.part[other] == target) - (self.part[other] == own))
        # Edges stand on both sides.
        return self._evener(weight, own, target) + 2 * cheaper * self.worth

    def _evener(self, weight: int, own: int, target: int) -> float:
        if not self.mean:
            return 0.0
        here, there = self.weights[own] - self.mean, self.weights[target] - self.mean
        before = here * here + there * there
        after = (here - weight) ** 2 + (there + weight) ** 2
        return (before - after) / (self.mean * self.mean)

    def _move(self, taken: set[int], own: int, target: int) -> None:
        weight = _weight(self.places, taken)
        self.groups[own] -= taken
        self.groups[target] |= taken
        self.weights[own] -= weight
        self.weights[target] += weight
        for each in taken:
            self.part[each] = target
