"""Areas keep their place in the tree for ever; an import may add and rename, never move."""

import pytest

from server.db.store import Store
from server.imports import queries
from server.imports.report import ImportReport
from tests.imports.conftest import AREAS, Import

pytestmark = [pytest.mark.anyio, pytest.mark.db]


async def spans(store: Store) -> dict[str, tuple[int, int]]:
    found = await store.read(lambda db: queries.areas_around(db, ["990101", "990101001"]))
    return {code: (area.lo, area.hi) for code, area in found.items()}


async def test_a_second_import_changes_nothing(run: Import, tree: ImportReport) -> None:
    assert (tree.created, tree.unchanged) == (5, 0)
    again = await run("areas", AREAS)
    assert (again.created, again.changed, again.unchanged) == (0, 0, 5)


@pytest.mark.usefixtures("tree")
async def test_a_new_sibling_leaves_every_interval_where_it_was(
    run: Import, store: Store
) -> None:
    before = await spans(store)
    sooner = AREAS.replace(
        "990101001001,", "990101001000,Community 001-000,community,990101001\n990101001001,"
    )
    assert (await run("areas", sooner)).created == 1
    after = await spans(store)
    assert {code: after[code] for code in before} == before


@pytest.mark.usefixtures("tree")
async def test_a_name_may_change(run: Import) -> None:
    report = await run("areas", AREAS.replace("Street 001", "First Street"))
    assert (report.changed, report.unchanged) == (1, 4)


@pytest.mark.usefixtures("tree")
async def test_an_area_may_not_move_to_another_parent(run: Import, store: Store) -> None:
    before = await spans(store)
    moved = AREAS + "990101002,Street 002,street,990101\n"
    moved = moved.replace("001-002,community,990101001", "001-002,community,990101002")
    report = await run("areas", moved)
    assert [(fault.row, fault.column) for fault in report.refused] == [(6, "parent")]
    assert await spans(store) == before


@pytest.mark.parametrize(
    ("line", "column"),
    [
        (",Nameless,street,990101", "code"),
        ("990101009,,street,990101", "name"),
        ("990101009,Street,village,990101", "level"),
        ("990101009,Street,street,", "parent"),
        ("990101009,Street,street,999999", "parent"),
        ("990101001,Twice,street,990101", "code"),
    ],
)
async def test_a_bad_row_refuses_the_file(
    run: Import, store: Store, line: str, column: str
) -> None:
    report = await run("areas", f"{AREAS}{line}\n")
    assert [(fault.row, fault.column) for fault in report.refused] == [(7, column)]
    assert await store.read(lambda db: queries.areas_around(db, ["9901"])) == {}


async def test_a_dry_run_says_what_would_happen_and_writes_nothing(
    run: Import, store: Store
) -> None:
    report = await run("areas", AREAS, dry_run=True)
    assert (report.ok, report.created, report.dry_run) == (True, 5, True)
    assert await store.read(lambda db: queries.areas_around(db, ["9901"])) == {}
