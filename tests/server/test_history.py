"""What happened to one record, for the office and on the command line."""

import httpx
import pytest
from typer.testing import CliRunner

from server.cli import app
from server.clock import new_id
from tests.server.desk import Desk, told
from tests.server.phones import RawPhone, outcomes
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]


@pytest.fixture
async def desk(client: httpx.AsyncClient, world: World) -> Desk:
    """A household that a phone and the office changed, and that a stranger tried to."""
    desk = Desk(client, world)
    home = world.households["G1"]
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    stranger = await RawPhone.enrol(client, world.tokens["cat"])
    await phone.sync(
        [
            phone.change(home, "household", 1, set={"door": "7"}, add={"languages": ["yue"]}),
            phone.change(home, "household", 1, set={"surprise": "secret"}),
        ]
    )
    await stranger.sync([stranger.change(home, "household", 1, set={"door": "8"})])
    answer = await desk.patch(
        f"/v1/households/{home}", "dispatcher", {"contact_phone": "111"}, rev=2
    )
    assert answer.status_code == 200
    return desk


def path(desk: Desk) -> str:
    return f"/v1/records/{desk.world.households['G1']}/history"


async def test_a_history_names_who_asked_for_what_and_what_became_of_it(desk: Desk) -> None:
    items = await desk.items(path(desk), "dispatcher")
    assert [
        (each["login"], each["fields"], each["outcome"], each["code"], each["rev"])
        for each in items
    ] == [
        (
            "importer",
            ["contact_phone", "dwelling", "status"],
            "applied",
            None,
            1,
        ),
        ("ann", ["door", "languages"], "applied", None, 2),
        ("ann", ["surprise"], "invalid", "unknown-field", 2),
        ("cat", ["door"], "held", "unknown-record", 0),
        ("dispatcher", ["contact_phone"], "applied", None, 3),
    ]
    assert [each["console"] for each in items] == [True, False, False, False, True]
    assert not any(each["asked"] for each in items)
    assert await desk.items(path(desk), "dispatcher", limit=2) == items


async def test_what_was_said_is_told_to_who_asks_for_it_and_answers_for_the_area(
    desk: Desk,
) -> None:
    items = await desk.items(path(desk), "dispatcher", values="true")
    assert items[1]["asked"] == {"set": {"door": "7"}, "add": {"languages": ["yue"]}}
    answer = await desk.get(path(desk), "admin", values="true")
    assert told(answer) == (403, "forbidden")
    assert await desk.items(path(desk), "admin")


async def test_nobody_else_learns_that_there_is_such_a_record(desk: Desk) -> None:
    assert told(await desk.get(path(desk), "dispatcher-n2")) == (404, "not-found")
    assert told(await desk.get(path(desk), "ann")) == (403, "forbidden")
    nowhere = f"/v1/records/{new_id()}/history"
    assert told(await desk.get(nowhere, "dispatcher")) == (404, "not-found")
    for cursor in ("WzFd=x", "e30"):
        answer = await desk.get(path(desk), "dispatcher", cursor=cursor)
        assert told(answer) == (400, "invalid-parameter")


def test_the_command_line_tells_it_in_lines(desk: Desk, database_url: str) -> None:
    home = desk.world.households["G1"]
    environment = {"JINGWEI_ALLOW_UNSAFE": "true"}
    words = ["explain", home, "--database", database_url]
    done = CliRunner().invoke(app, words, env=environment)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert len(lines) == 5
    assert "ann (phone " in lines[1]
    assert "change [door, languages] on rev 1 -> applied, rev 2" in lines[1]
    assert "secret" not in done.stdout
    shown = CliRunner().invoke(app, [*words, "--values"], env=environment)
    assert '"surprise": "secret"' in shown.stdout
    for wrong, code in (("what", 2), (new_id(), 1)):
        words[1] = wrong
        assert CliRunner().invoke(app, words, env=environment).exit_code == code


async def test_it_says_why_of_a_desk_a_phone_a_decision_a_move_and_a_merge(
    client: httpx.AsyncClient, world: World
) -> None:
    desk, home = Desk(client, world), world.households["G1"]
    where = f"/v1/households/{home}"
    ann = await RawPhone.enrol(client, world.tokens["ann"])
    bob = await RawPhone.enrol(client, world.tokens["bob"])
    seen = [
        phone.change(home, "household", 1, set={"door": door}, why=f"{door} says the bell")
        for phone, door in ((ann, "7"), (bob, "9"))
    ]
    await ann.sync(seen[:1])
    assert outcomes(await bob.sync(seen[1:])) == {1: "conflict"}
    (conflict,) = await desk.items("/v1/conflicts", "dispatcher", status="open")
    settles = {"value": "9", "note": "Looked it up."}
    await desk.done(f"/v1/conflicts/{conflict['id']}/resolve", "dispatcher", settles, rev=3)
    said = {"contact_phone": "111", "why": "They rang."}
    assert (await desk.patch(where, "dispatcher", said, rev=4)).status_code == 200
    nothing = await desk.patch(where, "dispatcher", {"why": "Because."}, rev=5)
    assert nothing.status_code == 422
    moves = {"dwelling": world.dwellings["G3"], "text": "They moved."}
    await desk.done(f"{where}/move", "dispatcher", moves, rev=5)
    merges = {"into": world.households["G3"], "text": "One family."}
    await desk.done(f"/v1/records/{home}/merge", "dispatcher", merges, rev=6)

    path = f"/v1/records/{home}/history"
    told_ = await desk.items(path, "dispatcher")
    assert [(each["login"], each["console"], each["act"], each["why"]) for each in told_] == [
        ("importer", True, None, None),
        ("ann", False, None, "7 says the bell"),
        ("bob", False, None, "9 says the bell"),
        ("dispatcher", True, "resolve", "Looked it up."),
        ("dispatcher", True, None, "They rang."),
        ("dispatcher", True, "move", "They moved."),
        ("dispatcher", True, "merge_into", "One family."),
    ]
    assert told_[1]["device"] == ann.id
    assert not any(each["asked"] for each in told_)
    survivor = await desk.items(
        f"/v1/records/{world.households['G3']}/history", "dispatcher-n2"
    )
    assert {each["why"] for each in survivor} >= {"They moved.", "One family."}
    assert not any(each["why"] for each in await desk.items(path, "admin"))
    noted = await desk.items("/v1/access-log", "admin")
    readers = [each["account"] for each in noted if each["act"] == "history"]
    assert len(readers) == 2
