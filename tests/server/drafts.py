"""Boundary changes over HTTP, as the people of the small world draw them."""

from typing import Any

import httpx
import shapely

from tests.server.desk import Desk
from tests.world import LAT, LON, STEP, World

CHANGES = "/v1/boundary-changes"


def ground(west: float, east: float, south: float = 0.0, north: float = 1.0) -> dict[str, Any]:
    """A rectangle in steps of the world's grids, as GeoJSON."""
    box = shapely.box(
        LON + west * STEP, LAT + south * STEP, LON + east * STEP, LAT + north * STEP
    )
    found: dict[str, Any] = shapely.geometry.mapping(box)
    return {
        "type": "Polygon",
        "coordinates": [[list(map(float, each)) for each in found["coordinates"][0]]],
    }


def redraw(grid: str, shape: dict[str, Any]) -> dict[str, Any]:
    return {"edit": "redraw", "grid": grid, "boundary": shape}


def split(grid: str, **pieces: dict[str, Any]) -> dict[str, Any]:
    into = [
        {"code": code, "name": f"Grid {code}", "boundary": shape}
        for code, shape in pieces.items()
    ]
    return {"edit": "split", "grid": grid, "into": into}


def halved(desk: Desk, code: str = "G1") -> dict[str, Any]:
    """A grid of the world split into a western and an eastern part."""
    return halves(desk.world, code)


def halves(world: World, code: str = "G1") -> dict[str, Any]:
    """The same for who has no desk."""
    west = int(code[1]) - 1
    return split(
        world.grids[code],
        **{f"{code}W": ground(west, west + 0.4), f"{code}E": ground(west + 0.4, west + 1)},
    )


def moved_border(desk: Desk, at: float = 0.8) -> list[dict[str, Any]]:
    """The border between the first two grids goes elsewhere."""
    return border(desk.world, at)


def border(world: World, at: float) -> list[dict[str, Any]]:
    """The same for who has no desk."""
    grids = world.grids
    return [redraw(grids["G1"], ground(0, at)), redraw(grids["G2"], ground(at, 2))]


async def drawn(desk: Desk, *edits: dict[str, Any], login: str = "analyst", **more: Any) -> Any:
    """A draft that must be accepted."""
    body = {"reason": "Too many homes for one", "edits": list(edits), **more}
    return await desk.done(CHANGES, login, body)


async def publish(
    desk: Desk, change: dict[str, Any], login: str = "dispatcher"
) -> httpx.Response:
    """Ask for a draft to be published."""
    path = f"{CHANGES}/{change['id']}/publish"
    return await desk.post(path, login, rev=change["rev"])


async def published(desk: Desk, *edits: dict[str, Any], **more: Any) -> Any:
    """A draft that is drawn and published."""
    answer = await publish(desk, await drawn(desk, *edits, **more))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def ask(desk: Desk, change: dict[str, Any], what: str, login: str = "analyst") -> Any:
    """The answer of `validate` or `preview`."""
    return await desk.done(f"{CHANGES}/{change['id']}/{what}", login)
