"""Nothing outside of what somebody answers for is disclosed, by whatever they ask.

The operations come from openapi.yaml: a new one is asked, or fails because nobody said what its
parameters name. `make disclosure` asks ten thousand questions of new towns.
"""

import os
from collections.abc import AsyncIterator, Mapping
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
import yaml
from fastapi import FastAPI, Response
from sqlalchemy import Connection, select, text

from server.app import create_app
from server.db.reach import everywhere
from server.db.store import Store, open_store
from server.identity.access import CurrentPrincipal
from server.problems import Forbidden, NotFound
from server.settings import Limits
from tests.disclosure.asking import (
    KINDS,
    MADE,
    NOT_ASKED,
    TELLS_IDS,
    Asking,
    Operation,
    Question,
    answered,
    disclosed,
    operations,
    plain,
)
from tests.disclosure.town import Town, build, settle, worked
from tests.server.numbers import Numbers

pytestmark = [pytest.mark.anyio, pytest.mark.db]
QUESTIONS = int(os.environ.get("DISCLOSURE_QUESTIONS", "300"))
SEED = int(os.environ.get("DISCLOSURE_SEED", "1"))
API = Path(__file__).resolve().parents[2] / "openapi.yaml"


def asking_client(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


@pytest.fixture
async def client(store: Store, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    # Who looks often is told so, and not whether there is anything.
    limits = Limits(reveals=10**6, contact_reveals=10**6, reveals_a_minute=10**6)
    app = create_app(Numbers(tmp_path).settings(limits=limits), store=store)
    async with asking_client(app) as client:
        yield client


@cache
def published() -> Mapping[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loaded: Mapping[str, Any] = yaml.load(API.read_bytes(), loader)  # noqa: S506 - safe, fast
    return loaded


async def told_too_much(
    client: httpx.AsyncClient, town: Town, asking: Asking, question: Question
) -> list[str]:
    """What an answer discloses, by itself or beside that to one about nothing."""
    answer = await answered(client, question)
    asking.learn(question, answer)
    found = list(disclosed(town, question, answer))
    if answer.status_code >= 500 and answer.status_code != 503:
        found.append("a fault of the server")
    if question.foreign and not found and question.operation.path not in TELLS_IDS:
        nothing = await answered(client, question.about_nothing())
        if plain(nothing) != plain(answer):
            found.append(f"answered {plain(answer)!r} instead of {plain(nothing)!r}")
    who = f"{question.person.login} {question.operation.method} {question.path}"
    return [f"{who} {dict(question.query)} {question.body}: {each}" for each in found]


async def test_no_answer_tells_anything_from_outside(
    client: httpx.AsyncClient, store: Store
) -> None:
    chance = Random(SEED)  # noqa: S311 - a town that can be built again
    town, console = await build(client, store, chance)
    asking = Asking(published(), town, chance)
    every = operations(published())
    found: list[str] = []
    reading = [each for each in every if each.reads]
    for at in range(max(QUESTIONS, len(every))):
        # Every operation once, then mostly what gives answers.
        often = every if chance.random() < 0.2 else reading
        operation = every[at] if at < len(every) else chance.choice(often)
        person = asking.whoever_may(operation)
        foreign = not operation.reads or chance.random() < 0.5
        question = asking.question(person, operation, foreign=foreign)
        found += await told_too_much(client, town, asking, question)
    assert found == []
    paths = {each.path for each in reading}
    assert sum(asking.heard[each] > 0 for each in paths) > len(paths) / 2, "little was tried"
    await _what_happens_elsewhere_is_not_noticed(client, store, town, console, every, chance)


async def _what_happens_elsewhere_is_not_noticed(
    client: httpx.AsyncClient,
    store: Store,
    town: Town,
    console: Any,
    every: list[Operation],
    chance: Random,
) -> None:
    """Answers, counts and ETags stay the same, whatever is done in the other district."""
    asking = Asking(published(), town, chance)
    here = [
        each
        for each in town.people
        if not each.sees(town.spans["D2"]) or not each.sees(town.spans["D1"])
    ]
    told_of_asking = ("/sync", "/access-log")
    reading = [
        each
        for each in every
        if each.method == "get" and not any(word in each.path for word in told_of_asking)
    ]
    asked = []
    for _ in range(max(40, QUESTIONS // 6)):
        person = chance.choice(here)
        question = asking.question(person, chance.choice(reading), foreign=False)
        asked.append((question, plain(await answered(client, question))))
    for district in ("1", "2"):
        codes = [each for each in town.grids if each[1] == district][:2]
        await store.write(partial(settle, town=town, console=console, codes=codes))
        await worked(client, town, codes[0])
        for question, before in asked:
            if not question.person.sees(town.spans[f"D{district}"]):
                assert plain(await answered(client, question)) == before, question
        asked = [(question, plain(await answered(client, question))) for question, _ in asked]


def plant(app: FastAPI, store: Store) -> list[str]:
    """Add operations that disclose something, each in another way; return their paths."""

    def names(db: Connection) -> list[str]:
        everywhere(db)
        return [str(row[0]) for row in db.execute(text("SELECT name FROM resident"))]

    def is_there(db: Connection, household: str) -> bool:
        everywhere(db)
        query = select(text("1")).select_from(text("household")).where(text("id = :id"))
        return db.execute(query, {"id": household}).first() is not None

    @app.get("/v1/planted/text")
    async def _text(principal: CurrentPrincipal) -> list[str]:
        return [principal.login, *await store.read(names)]

    @app.get("/v1/planted/header")
    async def _header(principal: CurrentPrincipal) -> Response:
        seen = await store.read(names)
        return Response(principal.login, headers={"etag": f'"{seen[0]}-{seen[-1]}"'})

    @app.get("/v1/planted/{household_id}")
    async def _oracle(household_id: str, principal: CurrentPrincipal) -> None:
        there = await store.read(lambda db: is_there(db, household_id))
        raise Forbidden(principal.login) if there else NotFound

    return ["/v1/planted/text", "/v1/planted/header", "/v1/planted/{household_id}"]


async def test_what_is_disclosed_is_found(sqlite_url: str, tmp_path: Path) -> None:
    chance = Random(SEED)  # noqa: S311 - a town that can be built again
    store = open_store(sqlite_url)
    app = create_app(Numbers(tmp_path).settings(), store=store)
    paths = plant(app, store)
    planted = [each for each in operations(app.openapi()) if each.path in paths]
    assert [each.path for each in planted] == paths
    try:
        async with asking_client(app) as client:
            town, _ = await build(client, store, chance)
            asking = Asking(app.openapi(), town, chance)
            person = next(each for each in town.people if not each.sees(town.spans["D2"]))
            for operation in planted:
                question = asking.question(person, operation, foreign=True)
                found = await told_too_much(client, town, asking, question)
                assert found, operation.path
    finally:
        await store.close()


def test_every_operation_is_asked_or_it_is_said_why_not() -> None:
    known = {(each.method, each.path) for each in operations(published())}
    there = {
        (method, path)
        for path, item in published()["paths"].items()
        for method in item
        if path.startswith("/v1/") and method != "parameters"
    }
    assert there - known == set(NOT_ASKED)
    placed = {
        each["name"]
        for operation in operations(published())
        for each in operation.parameters
        if each["in"] == "path"
    }
    assert placed - KINDS.keys() - MADE == set(), "say in KINDS what these name"
