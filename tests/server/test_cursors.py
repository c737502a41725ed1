"""A cursor that no list gave out is refused by every list, whatever it holds."""

import re
from itertools import product

import httpx
import pytest
import yaml

from server.paging import Id, decode_cursor, encode_cursor
from server.problems import InvalidParameter
from tests.server.desk import Desk
from tests.style.sources import ROOT
from tests.world import World

KEYS = [
    ("x",),
    (1, "x"),
    ("x", "y"),
    (1, "x", 1),
    (1,),
    ("01930000-0000-7000-8000-000000000002", 1),
]
"""Keys that decode, of all shapes there are; of none is a text an id in the place of one."""
SOME_ID = "01930000-0000-7000-8000-00000000000a"
WITHOUT_IDS = {
    "/v1/areas",
    "/v1/grids",
    f"/v1/records/{SOME_ID}/history",
    f"/v1/layers/{SOME_ID}",
    "/v1/notices",
}
"""Lists in whose order no id takes part: a number, or another text."""


def test_an_id_in_a_key_is_an_id_and_nothing_else() -> None:
    key = SOME_ID
    assert decode_cursor(None, Id) is None
    assert decode_cursor(encode_cursor((5, key)), int, Id) == (5, key)
    for wrong in ((5, "x"), (5, key.upper()), (5, 5), (key, key), (5, key, key)):
        with pytest.raises(InvalidParameter):
            decode_cursor(encode_cursor(wrong), int, Id)


def lists() -> list[tuple[str, dict[str, str]]]:
    """Every published list that comes in pages, with what it has to be asked."""
    document = yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))
    found = []
    for path, calls in document["paths"].items():
        asked = {each["name"]: each for each in calls.get("get", {}).get("parameters", ())}
        if "cursor" in asked:
            needed = {
                name: "resident" if name == "kind" else SOME_ID
                for name, each in asked.items()
                if each["in"] == "query" and each.get("required")
            }
            found.append((re.sub(r"\{\w+\}", SOME_ID, path), needed))
    return found


async def test_no_list_takes_a_text_for_an_id(client: httpx.AsyncClient, world: World) -> None:
    desk = Desk(client, world)
    refused = set()
    for path, needed in lists():
        for key, login in product(KEYS, ("dispatcher", "admin")):
            asked = needed | {"cursor": encode_cursor(key)}
            answer = await desk.get(path, login, **asked)
            assert answer.status_code < 500, (path, key, answer.text)
            if answer.status_code == 400:
                refused.add((path, key))
    takes = {path for path, _ in lists() if any((path, key) not in refused for key in KEYS)}
    assert takes == WITHOUT_IDS
