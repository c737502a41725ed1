"""What a list of divisions says that the area tree did not say before."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from geo.divisions import Collision, PlacedDivision
from server.imports.stored import StoredArea


@dataclass(frozen=True, slots=True, kw_only=True)
class DivisionNews:
    """What a list says that the tree did not: codes, and names with what they were."""

    appeared: tuple[str, ...]
    vanished: tuple[str, ...]
    renamed: tuple[tuple[str, str, str], ...]
    collisions: tuple[Collision, ...]

    def as_json(self, listed_max: int) -> dict[str, object]:
        """Return it as JSON values: how many, and the first of each sort."""
        collisions = [
            {"code": each.code, "kept": each.kept.level, "left": [x.level for x in each.left]}
            for each in self.collisions
        ]
        return {
            "appeared_count": len(self.appeared),
            "appeared": list(self.appeared[:listed_max]),
            "vanished_count": len(self.vanished),
            "vanished": list(self.vanished[:listed_max]),
            "renamed_count": len(self.renamed),
            "renamed": [list(each) for each in self.renamed[:listed_max]],
            "collisions": collisions[:listed_max],
        }

    def lines(self, listed_max: int) -> Iterator[str]:
        """Yield it as readable lines."""
        yield (
            f"  {len(self.appeared)} new, {len(self.vanished)} vanished, "
            f"{len(self.renamed)} renamed, {len(self.collisions)} codes collide"
        )
        yield from (
            f"  {each.code}: the {each.kept.level} counts, the "
            f"{' and the '.join(x.level for x in each.left)} with the same code does not"
            for each in self.collisions[:listed_max]
        )
        yield from (
            f"  renamed {code}: {old} to {new}" for code, old, new in self.renamed[:listed_max]
        )
        yield from (f"  vanished {code}" for code in self.vanished[:listed_max])


def news_of(
    areas: Iterable[PlacedDivision],
    before: Iterable[StoredArea],
    collisions: tuple[Collision, ...],
) -> DivisionNews:
    """Compare the areas that a list makes with those that the tree had."""
    old = {each.code: each.name for each in before}
    new = {each.code: each.name for each in areas}
    both = sorted(old.keys() & new.keys())
    return DivisionNews(
        appeared=tuple(sorted(new.keys() - old.keys())),
        vanished=tuple(sorted(old.keys() - new.keys())),
        renamed=tuple((code, old[code], new[code]) for code in both if old[code] != new[code]),
        collisions=collisions,
    )
