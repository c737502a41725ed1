"""Made-up households and residents on the real building points, from a seed.

Names, doors and telephone numbers are visibly not real. How many households a grid has follows
the mapped real distribution; only some members of a household are registered, as in a registry
that workers are still filling.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.chance import SeededChance
from demo.sources import Weight, dwellings_by_grid, weights

REGISTERED_SHARE = 0.35
SIZE_MAX = 8
LANGUAGES = ("cmn", "nan", "hak", "yue", "eng")
STATUSES = ("active",) * 17 + ("vacant", "moved_out", "unknown")
PREFERENCES = ("any", "any", "phone_first", "no_visit")
HOUSEHOLD_COLUMNS = (
    "dwelling",
    "door",
    "contact_phone",
    "size_band",
    "status",
    "visit_preference",
    "languages",
)
RESIDENT_COLUMNS = ("dwelling", "door", "no", "name", "birth_year", "phone", "status")


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The two files made, and how many rows they have."""

    households_file: Path
    residents_file: Path
    households: int
    residents: int


def shares(counts: Mapping[str, int], total: int) -> dict[str, int]:
    """Divide `total` in proportion to `counts`, by largest remainder; the sum is exact."""
    whole = sum(counts.values())
    exact = {key: total * count / whole for key, count in counts.items()}
    given = {key: int(value) for key, value in exact.items()}
    rest = total - sum(given.values())
    by_remainder = sorted(exact, key=lambda key: (given[key] - exact[key], key))
    for key in by_remainder[:rest]:
        given[key] += 1
    return given


def _size(chance: SeededChance, weight: Weight) -> int:
    """Draw a household's size around the grid's mean: 1 and a number of coin tosses."""
    mean = weight.people / weight.households
    share = min(0.95, max(0.0, (mean - 1) / (SIZE_MAX - 1)))
    return 1 + sum(chance.happens(share) for _ in range(SIZE_MAX - 1))


def size_band(size: int) -> str:
    """Return the band a household size falls into."""
    if size <= 2:
        return str(size)
    return "3-4" if size <= 4 else "5+"


def _phone(chance: SeededChance) -> str:
    return f"000-{chance.below(10_000):04}-{chance.below(10_000):04}"


def _languages(chance: SeededChance) -> str:
    return " ".join(sorted({"cmn", *(each for each in LANGUAGES if chance.happens(0.15))}))


def write_people(folder: Path, *, households: int, seed: int) -> People:
    """Write both CSV files into `folder`, in the order of the grids' codes."""
    weighted, dwellings = weights(), dwellings_by_grid()
    counts = shares({code: each.households for code, each in weighted.items()}, households)
    chance = SeededChance(seed, "people")
    homes: list[tuple[str, ...]] = []
    residents: list[tuple[str | int, ...]] = []
    for code in sorted(counts):
        blocks = dwellings[code]
        for number in range(counts[code]):
            block, door = blocks[number % len(blocks)], f"{number // len(blocks) + 1:02}-01"
            size = _size(chance, weighted[code])
            homes.append(_household(chance, block, door, size))
            residents += _residents(chance, (block, door), size, first=len(residents) + 1)
    files = (folder / "households.csv", folder / "residents.csv")
    _write(files[0], HOUSEHOLD_COLUMNS, homes)
    _write(files[1], RESIDENT_COLUMNS, residents)
    return People(
        households_file=files[0],
        residents_file=files[1],
        households=len(homes),
        residents=len(residents),
    )


def _household(chance: SeededChance, block: str, door: str, size: int) -> tuple[str, ...]:
    status, preference = chance.pick(STATUSES), chance.pick(PREFERENCES)
    band, languages = size_band(size), _languages(chance)
    return (block, door, _phone(chance), band, status, preference, languages)


def _residents(
    chance: SeededChance, home: tuple[str, str], size: int, *, first: int
) -> list[tuple[str | int, ...]]:
    registered = 1 + sum(chance.happens(REGISTERED_SHARE) for _ in range(size - 1))
    return [
        (
            *home,
            number + 1,
            f"Resident {first + number:06}",
            chance.between(1935, 2007),
            _phone(chance),
            "active",
        )
        for number in range(registered)
    ]


def _write(
    path: Path,
    header: tuple[str, ...],
    rows: list[tuple[str, ...]] | list[tuple[str | int, ...]],
) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
