"""The data that ships with the demo: rebuilt from its sources, small, neutral, reproducible."""

import csv
import gzip
from pathlib import Path

from demo import sources
from demo.crew import plan_crew
from demo.people import shares, write_people
from demo.planning import Deed, plan_day
from demo.prepare_data import HERE, prepare
from tests.shared_data import shared_path

BYTES_MAX = 1_500_000


def test_the_committed_files_are_what_the_sources_give() -> None:
    made = prepare(shared_path())
    committed = {path.name: gzip.decompress(path.read_bytes()) for path in HERE.glob("*.gz")}
    assert committed.keys() == {f"{name}.gz" for name in made}
    assert all(committed[f"{name}.gz"] == content for name, content in made.items())


def test_the_files_are_small() -> None:
    assert sum(path.stat().st_size for path in HERE.iterdir()) < BYTES_MAX


def test_every_file_names_its_source() -> None:
    text = (HERE / "LICENSES.md").read_text(encoding="utf-8")
    names = {path.name for path in HERE.iterdir()} - {"LICENSES.md"}
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []


def test_codes_follow_the_tree() -> None:
    with gzip.open(sources.AREAS, "rt", encoding="utf-8") as opened:
        areas = {row["code"]: row for row in csv.DictReader(opened)}
    levels = [row["level"] for row in areas.values()]
    assert {level: levels.count(level) for level in dict.fromkeys(levels)} == {
        "city": 1,
        "district": 1,
        "street": 67,
        "community": 521,
    }
    grids = sources.grid_shapes()
    assert len(grids) == 767
    assert all(areas[code[:12]]["level"] == "community" for code in grids)


def test_every_nature_has_a_class_of_the_catalogue() -> None:
    with sources.CLASSES.open(encoding="utf-8") as opened:
        classes = {row["code"] for row in csv.DictReader(opened)}
    assert {request.class_code for request in sources.stream()} <= classes
    assert not classes & {"0409", "0502", "0512"}


def test_shares_add_up_and_follow_the_weights() -> None:
    assert shares({"a": 1, "b": 1, "c": 1}, 10) == {"a": 4, "b": 3, "c": 3}
    assert shares({"a": 90, "b": 10}, 10) == {"a": 9, "b": 1}


def test_the_same_seed_makes_the_same_people(tmp_path: Path) -> None:
    files = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        people = write_people(folder, households=300, seed=7)
        assert people.households == 300
        files.append((people.households_file.read_bytes(), people.residents_file.read_bytes()))
    assert files[0] == files[1]


def test_the_same_seed_plans_the_same_day() -> None:
    crew = plan_crew(24, seed=7)
    assert crew == plan_crew(24, seed=7)
    day = plan_day(crew, sources.rhythm(), start_ms=0, seed=7)
    assert day == plan_day(crew, sources.rhythm(), start_ms=0, seed=7)
    assert day != plan_day(crew, sources.rhythm(), start_ms=0, seed=8)
    assert {each.deed for each in day} == set(Deed)


def test_some_workers_share_grids_and_the_others_do_not() -> None:
    crew = plan_crew(24, seed=7)
    pairs = [(each.index, each.partner) for each in crew if each.partner is not None]
    assert pairs == [(0, 1), (1, 0), (6, 7), (7, 6), (12, 13), (13, 12), (18, 19), (19, 18)]
    assert all(crew[one].grids == crew[other].grids for one, other in pairs)
    alone = [grid for each in crew if each.index % 6 != 1 for grid in each.grids]
    assert len(alone) == len(set(alone))
