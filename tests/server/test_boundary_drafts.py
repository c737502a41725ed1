"""Drafts of boundary changes: drawn, replaced, listed, discarded, checked and previewed."""

from typing import Any

import httpx
import numpy as np
import pytest
import shapely

from server.boundaries.drawing import read_shapes
from server.boundaries.moving import MOVES_MAX, Occupant, Tally
from server.boundaries.schemas import ChangeDraft
from server.clock import new_id
from server.db.store import Store
from server.problems import InvalidBody
from tests.server.desk import Desk, pointers, told
from tests.server.drafts import (
    CHANGES,
    ask,
    drawn,
    ground,
    halved,
    moved_border,
    published,
    redraw,
    split,
)
from tests.world import LAT, LON, STEP, World, settle

pytestmark = [pytest.mark.anyio, pytest.mark.db]
BOW = {
    "type": "Polygon",
    "coordinates": [
        [[LON, LAT], [LON + STEP, LAT + STEP], [LON + STEP, LAT], [LON, LAT + STEP], [LON, LAT]]
    ],
}


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


async def put(desk: Desk, change: Any, body: Any, login: str = "analyst") -> httpx.Response:
    headers = {
        "authorization": f"Bearer {desk.world.tokens[login]}",
        "if-match": f'"{change["rev"]}"',
    }
    return await desk.client.put(f"{CHANGES}/{change['id']}", json=body, headers=headers)


async def test_a_draft_is_read_as_it_was_drawn(desk: Desk, world: World) -> None:
    change = await drawn(desk, halved(desk), ground=ground(0, 4))
    answer = await desk.get(f"{CHANGES}/{change['id']}", "dispatcher")
    assert answer.json() == change
    assert answer.headers["etag"] == '"1"'
    assert (change["state"], change["area"]) == ("draft", world.areas["N1"])
    assert (change["drawn_by"], change["result"]) == (world.accounts["analyst"], None)
    (edit,) = change["edits"]
    assert (edit["edit"], edit["takes"]) == ("split", [world.grids["G1"]])
    assert [each["code"] for each in edit["gives"]] == ["G1W", "G1E"]
    for each, (west, east) in zip(edit["gives"], [(0, 0.4), (0.4, 1)], strict=True):
        assert each["community"] == world.areas["N1"]
        shape = shapely.geometry.shape(each["boundary"])
        wanted = shapely.geometry.shape(ground(west, east))
        assert shapely.symmetric_difference(shape, wanted).area < 1e-12
    assert shapely.geometry.shape(change["ground"]).bounds == pytest.approx(
        shapely.geometry.shape(ground(0, 4)).bounds
    )


async def test_a_draft_over_two_communities_belongs_to_their_street(
    desk: Desk, world: World
) -> None:
    change = await drawn(
        desk, redraw(world.grids["G2"], ground(1, 2)), redraw(world.grids["G3"], ground(2, 3))
    )
    assert change["area"] == world.areas["S"]
    path = f"{CHANGES}/{change['id']}"
    assert told(await desk.get(path, "dispatcher-n2")) == (404, "not-found")
    merger = {
        "edit": "merge",
        "grids": [world.grids["G2"], world.grids["G3"]],
        "into": {"code": "G23", "name": "Both"},
    }
    answer = await desk.post(CHANGES, "analyst", {"reason": "One", "edits": [merger]})
    assert pointers(answer) == ["/edits/0/grids"]


async def test_drafts_are_listed_by_area_and_state_the_newest_first(
    desk: Desk, world: World
) -> None:
    first = await drawn(desk, halved(desk))
    second = await drawn(desk, redraw(world.grids["G3"], ground(2, 3)))
    third = await published(desk, *moved_border(desk))
    ids = [first["id"], second["id"], third["id"]]
    assert {each["id"] for each in await desk.items(CHANGES, "dispatcher")} == set(ids)
    assert [each["id"] for each in await desk.items(CHANGES, "dispatcher", limit=1)] == [
        each["id"] for each in await desk.items(CHANGES, "dispatcher")
    ]
    only = await desk.items(CHANGES, "dispatcher", state="draft")
    assert {each["id"] for each in only} == {first["id"], second["id"]}
    below = await desk.items(CHANGES, "dispatcher", area="N2")
    assert [(each["id"], each["edits"]) for each in below] == [(second["id"], 1)]
    assert [each["id"] for each in await desk.items(CHANGES, "dispatcher-n2")] == [second["id"]]


async def test_a_draft_is_replaced_by_who_read_it(desk: Desk, world: World) -> None:
    change = await drawn(desk, halved(desk))
    other = {"reason": "Better so", "edits": moved_border(desk, 0.7), "edge_m": 5}
    answer = await put(desk, change, other, login="dispatcher")
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == '"2"'
    after = answer.json()
    assert (after["reason"], after["edge_m"], len(after["edits"])) == ("Better so", 5, 2)
    assert after["drawn_by"] == world.accounts["dispatcher"]
    assert told(await put(desk, change, other)) == (412, "precondition-failed")
    done = await published(desk, *moved_border(desk))
    assert told(await put(desk, done, other)) == (409, "transition-refused")


async def test_putting_the_edits_again_stands_on_the_boundaries_of_now(desk: Desk) -> None:
    change = await drawn(desk, *moved_border(desk, 0.7))
    await published(desk, *moved_border(desk))
    path = f"{CHANGES}/{change['id']}/validate"
    assert told(await desk.post(path, "analyst")) == (409, "stale-boundary")
    again = await put(desk, change, {"reason": "As it is", "edits": moved_border(desk, 0.7)})
    assert again.status_code == 200, again.text
    assert (await ask(desk, change, "validate"))["publishable"] is True


async def test_a_grid_that_is_closed_meanwhile_makes_a_draft_stale(
    desk: Desk, world: World
) -> None:
    change = await drawn(desk, redraw(world.grids["G1"], ground(0, 1)))
    await published(desk, halved(desk))
    answer = await desk.post(f"{CHANGES}/{change['id']}/preview", "analyst")
    assert told(answer) == (409, "stale-boundary")
    assert answer.json()["grids"] == [world.grids["G1"]]
    gone = await desk.post(
        CHANGES,
        "analyst",
        {"reason": "Late", "edits": [redraw(world.grids["G1"], ground(0, 1))]},
    )
    assert pointers(gone) == ["/edits/0"]


async def test_a_discarded_draft_stays_discarded(desk: Desk) -> None:
    change = await drawn(desk, halved(desk))
    path = f"{CHANGES}/{change['id']}/discard"
    assert told(await desk.post(path, "analyst")) == (428, "precondition-required")
    assert (await desk.done(path, "analyst", rev=1))["state"] == "discarded"
    assert told(await desk.post(path, "analyst", rev=2)) == (409, "transition-refused")
    listed = await desk.items(CHANGES, "analyst", state="discarded")
    assert [each["id"] for each in listed] == [change["id"]]


async def test_workers_draw_nothing_and_nobody_draws_outside(desk: Desk, world: World) -> None:
    body = {"reason": "Mine", "edits": [halved(desk)]}
    assert told(await desk.post(CHANGES, "ann", body)) == (403, "forbidden")
    assert told(await desk.get(CHANGES, "ann")) == (403, "forbidden")
    assert pointers(await desk.post(CHANGES, "dispatcher-n2", body)) == ["/edits/0"]
    create = {
        "edit": "create",
        "community": "N1",
        "grid": {"code": "G9", "name": "Nine", "boundary": ground(5, 6)},
    }
    outside = await desk.post(CHANGES, "dispatcher-n2", {"reason": "More", "edits": [create]})
    assert pointers(outside) == ["/edits/0/community"]
    street = create | {"community": "S"}
    no_community = await desk.post(CHANGES, "analyst", {"reason": "More", "edits": [street]})
    assert pointers(no_community) == ["/edits/0/community"]
    inside = await drawn(desk, create | {"community": world.areas["N1"]})
    assert inside["area"] == world.areas["N1"]


def _bodies(desk: Desk) -> dict[str, tuple[Any, list[str]]]:
    grid = desk.world.grids["G1"]
    nowhere = {"type": "Polygon", "coordinates": []}
    line = {"type": "LineString", "coordinates": [[LON, LAT], [LON, LAT + STEP]]}
    many = {"type": "FeatureCollection", "features": []}
    tiny = ground(0, 1e-9)
    return {
        "no edits": ([], ["/edits"]),
        "unknown grid": ([redraw(new_id(), ground(0, 1))], ["/edits/0"]),
        "not an id": ([redraw("G1", ground(0, 1))], ["/edits/0/grid"]),
        "bow tie": ([redraw(grid, BOW)], ["/edits/0/boundary/coordinates"]),
        "a line": ([redraw(grid, line)], ["/edits/0/boundary/type"]),
        "nothing": ([redraw(grid, nowhere)], ["/edits/0/boundary/coordinates"]),
        "no feature": ([redraw(grid, many)], ["/edits/0/boundary"]),
        "collapses": ([redraw(grid, tiny)], ["/edits/0/boundary"]),
        "one piece": ([split(grid, A=ground(0, 1))], ["/edits/0/into"]),
        "a code in use": (
            [split(grid, G2=ground(0, 0.5), A=ground(0.5, 1))],
            ["/edits/0/into/0/code"],
        ),
        "bad piece": ([split(grid, A=ground(0, 0.5), B=BOW)], ["/edits/0/into/1/boundary"]),
    }


@pytest.mark.parametrize(
    "name",
    [
        "no edits",
        "unknown grid",
        "not an id",
        "bow tie",
        "a line",
        "nothing",
        "no feature",
        "collapses",
        "one piece",
        "a code in use",
        "bad piece",
    ],
)
async def test_a_bad_draft_is_refused_with_its_place(desk: Desk, name: str) -> None:
    edits, expected = _bodies(desk)[name]
    answer = await desk.post(CHANGES, "analyst", {"reason": "Try", "edits": edits})
    found = pointers(answer)
    assert [each for each in found if each.startswith(expected[0])], found
    assert await desk.items(CHANGES, "analyst") == []


async def test_an_invalid_shape_is_told_with_its_place_on_the_map(desk: Desk) -> None:
    edits = [redraw(desk.world.grids["G1"], BOW)]
    answer = await desk.post(CHANGES, "analyst", {"reason": "Try", "edits": edits})
    (error,) = answer.json()["errors"]
    assert error["code"] == "invalid-geometry"
    assert error["position"] == pytest.approx([LON + STEP / 2, LAT + STEP / 2])


async def test_a_code_is_used_once_in_a_draft_too(desk: Desk) -> None:
    first = split(desk.world.grids["G1"], P=ground(0, 0.5), Q=ground(0.5, 1))
    second = split(desk.world.grids["G2"], Q=ground(1, 1.5), R=ground(1.5, 2))
    answer = await desk.post(CHANGES, "analyst", {"reason": "Try", "edits": [first, second]})
    assert pointers(answer) == ["/edits/0/into/1/code", "/edits/1/into/0/code"]


async def test_a_grid_in_two_edits_is_told_when_it_is_checked(desk: Desk) -> None:
    change = await drawn(desk, halved(desk), redraw(desk.world.grids["G1"], ground(0, 1)))
    answer = await desk.post(f"{CHANGES}/{change['id']}/validate", "analyst")
    assert pointers(answer) == ["/edits/1"]


def test_too_many_vertices_in_all_are_refused() -> None:
    def round_one(west: float) -> dict[str, Any]:
        angles = np.linspace(0, 2 * np.pi, 101_000)
        ring = np.stack([LON + west + np.cos(angles) / 5, LAT + np.sin(angles) / 5], axis=1)
        ring[-1] = ring[0]
        return {"type": "Polygon", "coordinates": [ring.tolist()]}

    edits = [redraw(new_id(), round_one(0)), redraw(new_id(), round_one(1))]
    draft = ChangeDraft.model_validate({"reason": "Round", "edits": edits})
    with pytest.raises(InvalidBody) as caught:
        read_shapes(draft)
    assert caught.value.extensions["errors"][0]["pointer"] == ""
    assert read_shapes(draft.model_copy(update={"edits": draft.edits[:1]})).ground is None


async def test_buildings_are_polygons_or_refused(desk: Desk) -> None:
    feature = {"type": "Feature", "properties": {}, "geometry": BOW}
    bad = {"type": "FeatureCollection", "features": [feature]}
    body = {"reason": "Try", "edits": moved_border(desk), "buildings": bad}
    (pointer,) = pointers(await desk.post(CHANGES, "analyst", body))
    assert pointer.startswith("/buildings/features/0/geometry")


async def test_validation_names_each_fault_with_size_place_and_witness(
    desk: Desk, world: World
) -> None:
    wide = await drawn(desk, redraw(world.grids["G1"], ground(0, 1.2)))
    found = await ask(desk, wide, "validate")
    assert (found["publishable"], found["faults_total"]) == (False, len(found["faults"]))
    overlap = found["faults"][0]
    assert (overlap["fault"], overlap["refused"]) == ("overlap", True)
    assert sorted(overlap["grids"]) == sorted([world.grids["G1"], world.grids["G2"]])
    witness = shapely.geometry.shape(overlap["witness"])
    assert witness.bounds == pytest.approx(
        (LON + STEP, LAT, LON + 1.2 * STEP, LAT + STEP), abs=1e-7
    )
    assert witness.contains(shapely.Point(overlap["lon"], overlap["lat"]))
    assert 2_000 < overlap["area_m2"] < 2_600
    assert 15 < overlap["width_m"] < 21
    narrow = await drawn(desk, redraw(world.grids["G1"], ground(0, 0.8)))
    gap = (await ask(desk, narrow, "validate"))["faults"][0]
    assert (gap["fault"], gap["grids"]) == ("gap", [world.grids["G1"]])
    careful = await drawn(desk, *moved_border(desk))
    assert await ask(desk, careful, "validate") == {
        "publishable": True,
        "faults": [],
        "faults_total": 0,
    }


async def test_validation_knows_the_ground_and_the_buildings_it_is_given(desk: Desk) -> None:
    outside = await drawn(desk, *moved_border(desk), ground=ground(0, 1.5))
    faults = (await ask(desk, outside, "validate"))["faults"]
    assert [each["fault"] for each in faults if each["refused"]] == ["outside"]
    feature = {"type": "Feature", "properties": {}, "geometry": ground(0.7, 0.9, 0.2, 0.4)}
    empty: dict[str, Any] = {"type": "Feature", "properties": {}, "geometry": None}
    buildings = {"type": "FeatureCollection", "features": [feature, empty]}
    crossing = await drawn(desk, *moved_border(desk), buildings=buildings)
    assert crossing["buildings"] == 1
    faults = (await ask(desk, crossing, "validate"))["faults"]
    assert [each["fault"] for each in faults] == ["building"]


async def test_the_preview_tells_flows_loads_and_what_is_ambiguous(
    store: Store, desk: Desk, world: World
) -> None:
    await store.write(lambda db: settle(db, world, "G1", 3))
    change = await drawn(desk, *moved_border(desk, 0.45), edge_m=8.0)
    preview = await ask(desk, change, "preview", "dispatcher")
    here, there = world.grids["G1"], world.grids["G2"]
    assert preview["flows"] == [
        {
            "from_grid": here,
            "to_grid": there,
            "dwellings": 1,
            "households": 4,
            "incidents": 0,
            "tasks": 0,
            "from_workers": ["ann", "bob"],
            "to_workers": ["bob"],
        }
    ]
    loads = {each["code"]: each for each in preview["grids"]}
    assert (loads["G1"]["households_before"], loads["G1"]["households_after"]) == (4, 0)
    assert (loads["G2"]["households_before"], loads["G2"]["households_after"]) == (1, 5)
    workers = {each["worker"]: each for each in preview["workers"]}
    assert list(workers) == ["ann", "bob"]
    assert (workers["ann"]["households_before"], workers["ann"]["households_after"]) == (4, 0)
    assert (workers["bob"]["households_before"], workers["bob"]["households_after"]) == (5, 5)
    assert (preview["ambiguous"], preview["ambiguous_first"]) == (1, [world.dwellings["G1"]])
    assert (preview["orphans"], preview["moving"], preview["publishable"]) == (0, 1, True)
    drawer = await ask(desk, change, "preview", "analyst")
    nobody: dict[str, Any] = {"households": None, "from_workers": [], "to_workers": []}
    assert drawer["flows"] == [preview["flows"][0] | nobody]
    untold = {"households_before": None, "households_after": None}
    assert drawer["grids"] == [each | untold for each in preview["grids"]]
    assert drawer["workers"] == []
    told_both = ("ambiguous", "ambiguous_first", "orphans", "moving", "publishable")
    assert {name: drawer[name] for name in told_both} == {
        name: preview[name] for name in told_both
    }


def test_orphans_and_more_moves_than_the_limit_refuse_a_change() -> None:
    def occupant(after: str | None) -> Occupant:
        return Occupant(
            id="",
            kind="dwelling",
            rev=1,
            before="here",
            after=after,
            weight=1,
            ambiguous=False,
        )

    staying, moving, orphan = occupant("here"), occupant("there"), occupant(None)
    most = Tally([*([moving] * MOVES_MAX), staying, staying])
    assert (most.moving, most.orphans, most.publishable) == (MOVES_MAX, 0, True)
    assert not Tally([moving] * (MOVES_MAX + 1)).publishable
    assert not Tally([staying, orphan]).publishable
