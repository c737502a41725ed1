"""Keys of identity numbers: destroyed with what they sealed, rotated, missed when away."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from server.app import create_app
from server.clock import new_id, now_ms
from server.db.store import Store, open_store
from server.db.tables import ResidentIdentifier
from server.erasure.again import erase_again, listed_lines, read_line
from server.identifiers import queries
from server.identifiers.destroying import destroy_doomed, destroy_soon
from server.maintain import Wanted, maintain
from server.sealed.keyring import new_key
from server.sealed.problems import SealingUnavailable
from server.sealed.sealing import open_sealing, vault_of
from tests import services
from tests.backups import backed_up, dropped
from tests.server.canaries import ASKED, everything
from tests.server.desk import Desk, told
from tests.server.numbers import (
    PURPOSE,
    Numbers,
    data_key_rows,
    found,
    id_card,
    kept,
    put,
    remove,
    residents,
    reveal,
    revealed,
    written_down,
)
from tests.walls import beyond
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]
UNAVAILABLE = (503, "sealing-unavailable")
Backup = Callable[[], Awaitable[str]]


@pytest.fixture
def numbers(tmp_path: Path) -> Numbers:
    return Numbers(tmp_path)


@pytest.fixture
async def backup(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path
) -> AsyncIterator[Backup]:
    """Make a backup of the store and restore it; the answer is its address."""
    embedded = database_url.startswith("sqlite")
    postgres: services.Postgres | None = (
        None if embedded else request.getfixturevalue("postgres")
    )
    made: list[str] = []

    async def restore() -> str:
        made.append(await asyncio.to_thread(backed_up, database_url, tmp_path, postgres))
        return made[-1]

    yield restore
    for url in made:
        dropped(url, postgres)


@asynccontextmanager
async def restored(url: str) -> AsyncIterator[Store]:
    store = open_store(url, allow_unsafe=True)
    try:
        yield store
    finally:
        await store.close()


async def erase(desk: Desk, record: str, rev: int = 1) -> None:
    await desk.done(f"/v1/records/{record}/erase", "dispatcher", ASKED, rev=rev)


async def test_an_old_backup_of_an_erased_household_cannot_be_read(
    store: Store, world: World, numbers: Numbers, backup: Backup
) -> None:
    (ann,) = await residents(store, world, "G1")
    (cat,) = await residents(store, world, "G3")
    async with numbers.desk(store, world) as desk:
        await kept(desk, ann, id_card(1))
        await kept(desk, cat, id_card(2))
        old = await backup()
        async with restored(old) as before, numbers.desk(before, world) as past:
            assert await revealed(past, ann) == id_card(1)
        await erase(desk, world.households["G1"])
        assert len(numbers.data_keys()) == 1
        assert [doomed for _, doomed in await store.read(data_key_rows)] == [False]
        assert await revealed(desk, cat) == id_card(2)
    async with restored(old) as before, numbers.desk(before, world) as past:
        assert told(await reveal(past, ann)) == UNAVAILABLE
        assert told(await put(past, ann, id_card(1))) == UNAVAILABLE
        assert await revealed(past, cat) == id_card(2)
        assert id_card(1) not in await before.read(everything)
        lines = await store.read(lambda db: list(listed_lines(db)))
        listed = [each for each in map(read_line, lines) if each is not None]
        done = await before.write(
            lambda db: erase_again(db, world.importer, listed, now_ms=now_ms())
        )
        assert done >= 1
        left = await destroy_doomed(before, vault_of(numbers.settings()), None)
        assert (left.keys, left.left) == (1, 0)
        assert await revealed(past, cat) == id_card(2)
        assert len(await before.read(data_key_rows)) == 1


async def test_who_stays_in_the_household_keeps_the_number_under_a_new_key(
    store: Store, world: World, numbers: Numbers, backup: Backup
) -> None:
    ann, ben = await residents(store, world, "G1", 2)
    async with numbers.desk(store, world) as desk:
        await kept(desk, ann, id_card(1))
        await kept(desk, ben, id_card(2))
        first, old = numbers.data_keys(), await backup()
        await erase(desk, ann)
        assert len(numbers.data_keys()) == 1
        assert not numbers.data_keys() & first
        assert await revealed(desk, ben) == id_card(2)
        assert await found(desk, id_card(2)) == [ben]
        assert await found(desk, id_card(1)) == []
    async with restored(old) as before, numbers.desk(before, world) as past:
        assert told(await reveal(past, ann)) == UNAVAILABLE


async def test_what_was_removed_or_replaced_cannot_be_read_in_a_backup(
    store: Store, world: World, numbers: Numbers, backup: Backup
) -> None:
    ann, ben = await residents(store, world, "G1", 2)
    async with numbers.desk(store, world) as desk:
        await kept(desk, ann, id_card(1))
        await kept(desk, ben, id_card(2))
        old = await backup()
        await kept(desk, ann, id_card(3))
        assert [await revealed(desk, each) for each in (ann, ben)] == [id_card(3), id_card(2)]
        assert [doomed for _, doomed in await store.read(data_key_rows)] == [False]
        second = numbers.data_keys()
        assert (await remove(desk, ben)).status_code == 204
        assert not numbers.data_keys() & second
        assert await revealed(desk, ann) == id_card(3)
    async with restored(old) as before, numbers.desk(before, world) as past:
        for each in (ann, ben):
            assert told(await reveal(past, each)) == UNAVAILABLE


async def test_the_files_of_the_database_hold_no_number(
    store: Store, world: World, numbers: Numbers, database_url: str
) -> None:
    (ann,) = await residents(store, world, "G1")
    number = id_card(5).encode()
    async with numbers.desk(store, world) as desk:
        await kept(desk, ann, number.decode())
        await revealed(desk, ann)
        await found(desk, number.decode())
    if database_url.startswith("sqlite"):
        folder = Path(database_url.removeprefix("sqlite:///")).parent
        whole = b"".join(each.read_bytes() for each in folder.iterdir())
    else:
        program = services.postgres_programs() / "pg_dump"
        command = [str(program), services.for_backup(database_url)]
        whole = await asyncio.to_thread(_output, command)
    assert ann.encode() in whole
    for each in (number, number.hex().encode(), numbers.keys[0].secret):
        assert each not in whole
    vault = b"".join(each.read_bytes() for each in numbers.vault.glob("??/*"))
    assert numbers.keys[0].secret not in vault


def _output(command: list[str]) -> bytes:
    environment = services.environment()
    return subprocess.run(command, env=environment, check=True, capture_output=True).stdout


async def test_what_expired_is_destroyed_by_maintenance(
    store: Store, world: World, numbers: Numbers, database_url: str
) -> None:
    ann, ben = await residents(store, world, "G1", 2)
    (cat,) = await residents(store, world, "G3")
    table = ResidentIdentifier.__table__
    settings = numbers.settings(allow_unsafe=True)
    async with numbers.desk(store, world) as desk:
        for at, each in enumerate((ann, ben, cat)):
            await kept(desk, each, id_card(at))
        before = numbers.data_keys()
        past = update(table).where(table.c.resident_id != ben).values(set_ms=1, expires_ms=2)
        await store.write(beyond(lambda db: db.execute(past)))
        wanted = Wanted(tombstone_days=30, access_days=180, dry_run=True)
        assert "identity numbers that expired: 2 destroyed" in await maintain(
            database_url, settings, wanted
        )
        assert numbers.data_keys() == before
        done = await maintain(
            database_url, settings, Wanted(tombstone_days=30, access_days=180, dry_run=False)
        )
        assert "identity numbers that expired: 2 destroyed" in done
        assert "data keys: 2 destroyed, 0 left" in done
        assert not numbers.data_keys() & before
        assert await revealed(desk, ben) == id_card(1)
        assert len(numbers.data_keys()) == 1


async def test_what_could_not_be_destroyed_at_once_is_destroyed_later(
    store: Store, world: World, numbers: Numbers, caplog: pytest.LogCaptureFixture
) -> None:
    ann, ben = await residents(store, world, "G1", 2)
    settings = numbers.settings()
    async with numbers.desk(store, world) as desk:
        await kept(desk, ann, id_card(1))
        await kept(desk, ben, id_card(2))
        numbers.file.rename(numbers.folder / "away")
        async with numbers.desk(store, world) as other:
            await erase(other, ann)
        assert "could not be destroyed yet" in caplog.text
        assert len(numbers.data_keys()) == 1
        assert await revealed(desk, ben) == id_card(2)
        left = await destroy_doomed(store, vault_of(settings), None)
        assert (left.keys, left.left) == (0, 1)
        (numbers.folder / "away").rename(numbers.file)
        before = numbers.data_keys()
        done = await destroy_doomed(store, vault_of(settings), open_sealing(settings))
        assert (done.keys, done.left) == (1, 0)
        assert not numbers.data_keys() & before
        assert await revealed(desk, ben) == id_card(2)


async def test_a_store_that_is_away_leaves_destroying_to_maintenance(
    store: Store, numbers: Numbers, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    del store
    away = open_store(f"postgresql://nobody@/nothing?host={tmp_path}", allow_unsafe=True)
    await destroy_soon(away, vault_of(numbers.settings()), None)
    await away.close()
    assert "has to wait" in caplog.text


async def test_what_is_kept_while_the_household_is_erased_does_not_stay(
    store: Store, world: World, numbers: Numbers
) -> None:
    people = await residents(store, world, "G1", 4)
    async with numbers.desk(store, world) as desk:
        await kept(desk, people[0], id_card(0))
        writes = [put(desk, each, id_card(at)) for at, each in enumerate(people)]
        path = f"/v1/records/{world.households['G1']}/erase"
        erasing = desk.post(path, "dispatcher", ASKED, rev=1)
        *answers, erased = await asyncio.gather(*writes, erasing)
        assert erased.status_code == 200
        assert {each.status_code for each in answers} <= {200, 404, 503}
        await destroy_soon(store, vault_of(numbers.settings()), None)
    assert await store.read(lambda db: queries.expired(db, now_ms=2**60)) == 0
    assert await store.read(data_key_rows) == []


async def test_a_missing_or_wrong_key_is_said_and_nothing_is_kept_in_the_clear(
    store: Store, world: World, numbers: Numbers
) -> None:
    ann, ben = await residents(store, world, "G1", 2)
    async with numbers.desk(store, world) as desk:
        await kept(desk, ann, id_card(1))
    acts = await store.read(written_down)
    before = await store.read(everything)
    for wrong in (new_key("d1", "intl"), new_key("d9", "intl")):
        numbers.put_keys(wrong)
        async with numbers.desk(store, world) as desk:
            for answer in (
                await put(desk, ben, id_card(2)),
                await reveal(desk, ann),
                await desk.post(
                    "/v1/identifiers/search",
                    "dispatcher",
                    {"kind": "id_card", "value": id_card(1), "purpose": PURPOSE},
                ),
            ):
                assert told(answer) == UNAVAILABLE
                assert answer.headers["retry-after"]
                assert id_card(1) not in answer.text
                assert wrong.secret.hex() not in answer.text
        app = create_app(numbers.settings(), store=store)
        with pytest.raises(SealingUnavailable):
            async with app.router.lifespan_context(app):
                pass
    assert await store.read(everything) == before
    assert await store.read(written_down) == acts


async def test_a_vault_that_was_exchanged_or_changed_is_noticed(
    store: Store, world: World, numbers: Numbers
) -> None:
    ann, ben = await residents(store, world, "G1", 2)
    async with numbers.desk(store, world) as desk:
        await kept(desk, ann, id_card(1))
        (key_id,) = numbers.data_keys()
        file = numbers.vault / key_id[-2:] / key_id
        good = file.read_bytes()
        file.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        assert told(await reveal(desk, ann)) == UNAVAILABLE
        assert told(await put(desk, ben, id_card(2))) == UNAVAILABLE
        file.unlink()
        assert told(await reveal(desk, ann)) == UNAVAILABLE
        assert told(await put(desk, ben, id_card(2))) == UNAVAILABLE
        file.write_bytes(good)
        assert await revealed(desk, ann) == id_card(1)


async def test_a_value_moved_to_another_row_does_not_open(
    store: Store, world: World, numbers: Numbers
) -> None:
    ann, ben = await residents(store, world, "G1", 2)
    table = ResidentIdentifier.__table__
    async with numbers.desk(store, world) as desk:
        await kept(desk, ann, id_card(1))
        await kept(desk, ben, id_card(2))
        hers = select(table.c.sealed).where(table.c.resident_id == ann).scalar_subquery()
        swap = update(table).where(table.c.resident_id == ben).values(sealed=hers)
        await store.write(beyond(lambda db: db.execute(swap)))
        assert told(await reveal(desk, ben)) == UNAVAILABLE
        assert await revealed(desk, ann) == id_card(1)


async def test_a_server_with_its_keys_starts_and_serves(
    store: Store, world: World, numbers: Numbers
) -> None:
    (ann,) = await residents(store, world, "G1")
    async with numbers.desk(store, world) as desk:
        await kept(desk, ann, id_card(1), days=300)
        assert told(await put(desk, ann, id_card(1), days=366)) == (422, "invalid-body")
        app: Any = create_app(numbers.settings(), store=store)
        async with app.router.lifespan_context(app):
            assert app.state.sealing is not None


async def test_a_key_that_cannot_be_had_and_sealed_nothing_gives_way(
    store: Store, world: World, numbers: Numbers
) -> None:
    (ann,) = await residents(store, world, "G1")
    lost, home = new_id(), world.households["G1"]
    await store.write(lambda db: queries.live_key(db, home, lost, now_ms=now_ms()))
    vault_of(numbers.settings()).create(lost, b"damaged")
    async with numbers.desk(store, world) as desk:
        await kept(desk, ann, id_card(1))
        assert await revealed(desk, ann) == id_card(1)
    done = await destroy_doomed(store, vault_of(numbers.settings()), None)
    assert (done.keys, done.left) == (1, 0)
    assert lost not in numbers.data_keys()


async def test_numbers_are_shown_while_keys_of_their_household_are_destroyed(
    store: Store, world: World, numbers: Numbers
) -> None:
    ann, ben = await residents(store, world, "G1", 2)
    async with numbers.desk(store, world, reveals=1_000) as desk:
        await kept(desk, ann, id_card(1))
        await kept(desk, ben, id_card(2))
        for turn in range(6):
            work = [reveal(desk, ann) for _ in range(4)]
            changed, *shown = await asyncio.gather(put(desk, ben, id_card(10 + turn)), *work)
            assert changed.status_code == 200
            assert [each.status_code for each in shown] == [200] * 4
            assert {each.json()["value"] for each in shown} == {id_card(1)}
