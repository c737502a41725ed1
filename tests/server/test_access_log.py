"""Who read what: noted before the answer, sealed once, verified; on both stores."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, func, select, update
from typer.testing import CliRunner

from server.accesslog import queries
from server.accesslog.chain import Noted
from server.accesslog.sealing import anchors_in, keep_sealing, seal_all, verify
from server.accesslog.writing import note
from server.cli import app
from server.clock import new_id
from server.db.store import Store
from server.db.tables import AccessEntry, AccessHead, AccessRecord, Account
from tests.server.desk import Desk, told
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]
ENTRY = AccessEntry.__table__


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


def noted(world: World, at_ms: int = 1, **change: Any) -> Noted:
    said = {
        "id": new_id(),
        "at_ms": at_ms,
        "account": world.accounts["dispatcher"],
        "act": "read",
        "kind": "household",
        "records": (world.households["G1"],),
        "purpose": None,
    }
    return Noted(**(said | change))


async def entries(store: Store) -> list[Any]:
    return list(
        await store.read(lambda db: db.execute(select(ENTRY).order_by(ENTRY.c.id)).all())
    )


async def faults(store: Store, anchor: Path | None = None) -> tuple[str, ...]:
    marks = {} if anchor is None else anchors_in(anchor)
    return (await store.read(partial(verify, anchors=marks))).faults


async def until(done: Callable[[], bool]) -> None:
    """Wait until something is so, at most a minute."""
    for _ in range(6_000):
        if done():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never happened")


def changed(db: Any, *, change: Any) -> int:
    """Change entries behind the log's back."""
    return int(db.execute(change).rowcount)


def belong(db: Any, *, login: str, area: str | None) -> None:
    """Let an account belong to another area; None is everywhere."""
    account = Account.__table__
    db.execute(update(account).where(account.c.login == login).values(area_id=area))


async def fill(store: Store, world: World, count: int, **change: Any) -> list[Noted]:
    ids = sorted(new_id() for _ in range(count))  # within a millisecond they have no order
    made = [noted(world, at_ms=at, id=each, **change) for at, each in enumerate(ids, 1)]
    await store.write(partial(queries.note, entries=made))
    return made


async def test_every_read_of_the_registry_is_noted_with_ids_and_nothing_else(
    desk: Desk, world: World, store: Store
) -> None:
    household = world.households["G1"]
    resident = await desk.done(
        f"/v1/households/{household}/residents", "dispatcher", {"name": "Example Person"}
    )
    listed = await desk.items("/v1/households", "dispatcher", limit=2)
    await desk.get(f"/v1/households/{household}", "dispatcher")
    await desk.get(f"/v1/households/{household}/residents", "dispatcher")
    await desk.get(f"/v1/residents/{resident['id']}", "dispatcher")
    await desk.get(f"/v1/records/{household}/history", "dispatcher", values="true")
    found = await entries(store)
    assert [(each.act, each.kind) for each in found] == [
        ("list", "household"),
        ("list", "household"),
        ("read", "household"),
        ("list", "resident"),
        ("read", "resident"),
        ("history", "record"),
    ]
    ids = [world.households[code] for code in world.households]
    assert {each["id"] for each in listed} == set(ids)
    assert household in found[2].records
    assert resident["id"] in found[2].records
    assert all(each.account_id == world.accounts["dispatcher"] for each in found)
    assert not any("Example" in each.records for each in found)


async def test_what_a_search_finds_is_noted_and_what_was_looked_for_is_not(
    desk: Desk, world: World, store: Store
) -> None:
    household = world.households["G1"]
    home = f"/v1/households/{household}/residents"
    await desk.done(home, "dispatcher", {"name": "Example Person"})
    for looked_for in ("Example Person", "nobody at all"):
        answer = await desk.post("/v1/households/search", "dispatcher", {"q": looked_for})
        assert answer.status_code == 200
    (entry,) = await entries(store)
    assert (entry.act, entry.kind, household in entry.records) == ("list", "household", True)
    assert "Example" not in str(entry)


async def test_what_gives_out_nothing_is_not_noted(
    desk: Desk, world: World, store: Store
) -> None:
    household = world.households["G1"]
    assert (await desk.get(f"/v1/households/{household}/visits", "dispatcher")).json()[
        "items"
    ] == []
    assert (await desk.get(f"/v1/households/{new_id()}", "dispatcher")).status_code == 404
    assert (await desk.get(f"/v1/households/{household}", "analyst")).status_code == 403
    await desk.get(f"/v1/records/{household}/history", "dispatcher")
    assert await entries(store) == []


async def test_the_stated_purpose_is_kept_and_must_be_one(
    desk: Desk, world: World, store: Store
) -> None:
    headers = {"authorization": f"Bearer {world.tokens['dispatcher']}"}
    path = f"/v1/households/{world.households['G1']}"
    await desk.client.get(path, headers=headers | {"access-purpose": "visits"})
    await desk.client.get(path, headers=headers)
    refused = await desk.client.get(path, headers=headers | {"access-purpose": "curiosity"})
    assert refused.status_code == 400
    assert [each.purpose for each in await entries(store)] == ["visits", None]


async def test_the_officer_finds_who_read_about_somebody(
    desk: Desk, world: World, store: Store
) -> None:
    household = world.households["G1"]
    for _ in range(3):
        await desk.get(f"/v1/households/{household}", "dispatcher")
    await desk.get(f"/v1/households/{world.households['G2']}", "dispatcher")
    await seal_all(store, None)
    found = await desk.items("/v1/access-log", "admin", record=household, limit=2)
    assert len(found) == 3
    assert {each["login"] for each in found} == {"dispatcher"}
    assert sorted(each["seq"] for each in found) == [1, 2, 3]
    assert [each["id"] for each in found] == sorted((e["id"] for e in found), reverse=True)
    everything = await desk.items("/v1/access-log", "admin")
    assert len(everything) == 4
    nobody = await desk.items("/v1/access-log", "admin", account=world.accounts["analyst"])
    assert nobody == []
    await desk.get(f"/v1/households/{world.households['G3']}", "dispatcher-n2")
    assert len(await desk.items("/v1/access-log", "admin")) == 5
    await store.write(partial(belong, login="admin", area=world.areas["N2"]))
    only = await desk.items("/v1/access-log", "admin")
    assert [each["login"] for each in only] == ["dispatcher-n2"]
    await store.write(partial(belong, login="admin", area=None))
    assert len(await desk.items("/v1/access-log", "admin")) == 5
    assert told(await desk.get("/v1/access-log", "dispatcher")) == (403, "forbidden")
    bad = await desk.get("/v1/access-log", "admin", cursor="WyJ4Il0")
    assert told(bad) == (400, "invalid-parameter")


async def test_no_answer_without_an_entry(desk: Desk, world: World, store: Store) -> None:
    await store.write(lambda db: db.exec_driver_sql("ALTER TABLE access_entry RENAME TO gone"))
    path = f"/v1/households/{world.households['G1']}"
    answer = await desk.get(path, "dispatcher")
    assert answer.status_code == 500
    assert "contact_phone" not in answer.text
    await store.write(lambda db: db.exec_driver_sql("ALTER TABLE gone RENAME TO access_entry"))
    assert (await desk.get(path, "dispatcher")).status_code == 200


async def test_many_readers_at_once_lose_nothing_and_sealers_do_not_fork(
    world: World, store: Store, tmp_path: Path
) -> None:
    anchor = tmp_path / "anchor" / "log"
    made = [noted(world, at_ms=at) for at in range(60)]
    await asyncio.gather(
        *(note(store, each) for each in made),
        *(seal_all(store, anchor) for _ in range(6)),
    )
    await seal_all(store, anchor)
    found = await entries(store)
    assert {each.id for each in found} == {each.id for each in made}
    assert sorted(each.seq for each in found) == list(range(1, 61))
    assert await faults(store, anchor) == ()


async def test_a_reader_is_told_when_the_entry_could_not_be_stored(
    world: World, store: Store
) -> None:
    one = noted(world)
    await note(store, one)
    with pytest.raises(Exception, match=r"access_entry|UNIQUE|duplicate"):
        await note(store, one)
    await note(store, noted(world))
    assert len(await entries(store)) == 2


async def test_an_edited_entry_is_found_whatever_was_edited(world: World, store: Store) -> None:
    (*_, third, _, _) = await fill(store, world, 5)
    await seal_all(store, None)
    assert await faults(store) == ()
    edits = {
        "at_ms": 99,
        "account_id": world.accounts["analyst"],
        "act": "list",
        "kind": "visit",
        "records": "[]",
        "purpose": "visits",
    }
    row = next(each for each in await entries(store) if each.id == third.id)
    for column, value in edits.items():
        for written, found in (
            (value, ("entry 3 is not what was sealed",)),
            (row._mapping[column], ()),
        ):
            change = update(ENTRY).where(ENTRY.c.id == third.id).values({column: written})
            await store.write(partial(changed, change=change))
            assert (await faults(store))[:1] == found, column


@pytest.mark.parametrize("which", [1, 4])
async def test_a_deleted_entry_is_found(world: World, store: Store, which: int) -> None:
    made = await fill(store, world, 5)
    await seal_all(store, None)
    gone = delete(ENTRY).where(ENTRY.c.id == made[which].id)
    await store.write(lambda db: db.execute(gone).rowcount)
    assert await faults(store) != ()


async def test_an_access_that_is_hidden_from_who_it_was_about_is_found(
    world: World, store: Store, tmp_path: Path
) -> None:
    made = await fill(store, world, 3)
    await seal_all(store, None)
    anchor = tmp_path / "anchor"
    assert await seal_all(store, anchor) == 0, "sealed by a process that stopped then"
    await seal_all(store, anchor)
    assert list(anchors_in(anchor)) == [3]
    way = AccessRecord.__table__
    hidden = delete(way).where(way.c.entry_id == made[1].id)
    await store.write(partial(changed, change=hidden))
    said = ("entry 2 is not found from the records that it names",)
    assert await faults(store, anchor) == said


async def test_a_cut_tail_with_a_matching_head_is_found_by_the_anchor(
    world: World, store: Store, tmp_path: Path
) -> None:
    anchor = tmp_path / "anchor"
    await fill(store, world, 5)
    await seal_all(store, anchor)

    def cut(db: Any) -> None:
        digest = db.execute(select(ENTRY.c.hash).where(ENTRY.c.seq == 3)).scalar()
        db.execute(delete(ENTRY).where(ENTRY.c.seq > 3))
        db.execute(update(AccessHead.__table__).values(seq=3, hash=digest))

    await store.write(cut)
    assert await faults(store) == ("2 ways from records lead to no entry",)
    way = AccessRecord.__table__
    stray = delete(way).where(way.c.entry_id.not_in(select(ENTRY.c.id)))
    await store.write(partial(changed, change=stray))
    assert await faults(store) == ()
    assert await faults(store, anchor) == ("the chain ends at 3, the anchor knows 5",)


async def test_old_entries_are_forgotten_from_the_beginning_and_the_rest_still_fits(
    world: World, store: Store, tmp_path: Path
) -> None:
    anchor = tmp_path / "anchor"
    await fill(store, world, 5)
    await seal_all(store, anchor)
    await fill(store, world, 1)
    forget = partial(queries.forget_before, before_ms=3, dry_run=True)
    assert await store.write(forget) == 2
    assert len(await entries(store)) == 6
    assert await store.write(partial(forget, dry_run=False)) == 2
    assert await store.write(partial(forget, dry_run=False)) == 0
    assert [each.seq for each in await entries(store)] == [3, 4, 5, None]
    assert await faults(store, anchor) == ()
    ways = select(func.count()).select_from(AccessRecord.__table__)
    assert await store.read(lambda db: db.execute(ways).scalar()) == 4
    assert await store.write(partial(forget, before_ms=10**9, dry_run=False)) == 3
    await seal_all(store, anchor)
    assert await faults(store, anchor) == ()
    assert [each.seq for each in await entries(store)] == [6]


async def test_the_server_keeps_sealing_also_after_a_failure(
    world: World, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    anchor = tmp_path / "anchor"
    anchor.mkdir()  # a folder cannot be appended to
    sealing = asyncio.create_task(keep_sealing(store, anchor, every_s=0.01))
    await fill(store, world, 1)
    await until(lambda: "could not be sealed" in caplog.text)
    anchor.rmdir()
    await fill(store, world, 1)
    await until(anchor.exists)
    sealing.cancel()
    assert await faults(store, anchor) == ()
    assert sorted(each.seq for each in await entries(store)) == [1, 2]


async def test_the_commands_seal_verify_and_notice(
    world: World,
    store: Store,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JINGWEI_ALLOW_UNSAFE", "true")
    monkeypatch.setenv("JINGWEI_ACCESS_ANCHOR", str(tmp_path / "anchor"))

    async def run(*words: str, code: int) -> str:
        asked = ["access-log", *words, "--database", database_url]
        result = await asyncio.to_thread(CliRunner().invoke, app, asked)
        assert result.exit_code == code, result.output
        return result.output

    assert "0 sealed entries, 0 anchors" in await run("verify", code=0)
    made = await fill(store, world, 3)
    assert "sealed up to 3" in await run("seal", code=0)
    assert "nothing to seal" in await run("seal", code=0)
    assert "3 sealed entries, 1 anchors, 0 after the last, 0 not sealed yet: ok" in await run(
        "verify", code=0
    )
    change = update(ENTRY).where(ENTRY.c.id == made[0].id).values(act="list")
    await store.write(lambda db: db.execute(change).rowcount)
    assert "BAD  entry 1 is not what was sealed" in await run("verify", code=1)
    (tmp_path / "odd").write_text("x y\n", encoding="ascii")
    for path in (tmp_path / "odd", tmp_path / "none"):
        assert "cannot be read" in await run("verify", "--anchor", str(path), code=1)
    monkeypatch.setenv("JINGWEI_ACCESS_ANCHOR", "")
    assert "0 anchors" in await run("verify", code=1)
