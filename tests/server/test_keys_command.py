"""`jingwei keys`: make, check and rotate district keys; the server refuses to start without."""

import asyncio
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from server.cli import app
from server.db.store import open_store
from server.sealed.keyring import new_key, read_keyring
from server.sealed.problems import SealingUnavailable
from tests.server.numbers import Numbers, id_card, kept, residents
from tests.world import build_world

pytestmark = pytest.mark.db


def run(*arguments: str, numbers: Numbers | None = None, code: int = 0) -> Result:
    environment = {"JINGWEI_ALLOW_UNSAFE": "1"} if numbers is None else numbers.environment
    result = CliRunner().invoke(app, [*arguments], env=environment)
    assert result.exit_code == code, (result.output, result.exception)
    return result


@pytest.fixture
def numbers(database_url: str, tmp_path: Path) -> Numbers:
    """A store in which two people of one household have a number."""
    made = Numbers(tmp_path)

    async def fill() -> None:
        store = open_store(database_url, allow_unsafe=True)
        world = await build_world(store)
        async with made.desk(store, world) as desk:
            for at, each in enumerate(await residents(store, world, "G1", 2)):
                await kept(desk, each, id_card(at))
        await store.close()

    asyncio.run(fill())
    return made


def test_a_keyring_is_printed_or_kept_in_a_file_of_its_owner(tmp_path: Path) -> None:
    printed = read_keyring(run("keys", "generate", "d1", "--suite", "gm").stdout)
    assert (printed.first.id, printed.first.suite.name) == ("d1", "gm")
    file = tmp_path / "keyring.json"
    assert run("keys", "generate", "d1", "--file", str(file)).stdout == ""
    first = file.read_text()
    run("keys", "generate", "d2", "--file", str(file))
    assert list(read_keyring(file.read_text()).keys) == ["d1", "d2"]
    assert read_keyring(file.read_text()).first == read_keyring(first).first
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_text()
    for name in ("d2", "D 3"):
        refused = run("keys", "generate", name, "--file", str(file), code=1)
        assert isinstance(refused.exception, SealingUnavailable)
    assert file.read_text() == before
    assert [each.name for each in tmp_path.iterdir()] == [file.name]


def test_check_says_what_depends_on_which_key(numbers: Numbers, database_url: str) -> None:
    at = ("--database", database_url)
    lines = run("keys", "check", *at, numbers=numbers).stdout.splitlines()
    assert lines[0] == "d1\tintl\tseals\t1 data keys, 2 indexes"
    assert lines[-1] == "data keys waiting to be destroyed: 0"
    (key_id,) = numbers.data_keys()
    file = numbers.vault / key_id[-2:] / key_id
    good = file.read_bytes()
    file.write_bytes(b"nothing")
    told = run("keys", "check", *at, numbers=numbers, code=1).stdout
    assert "damaged in the vault: 1" in told
    file.write_bytes(good[:-1])
    run("keys", "check", *at, numbers=numbers, code=1)
    file.unlink()
    told = run("keys", "check", *at, numbers=numbers, code=1).stdout
    assert "missing from the vault: 1" in told
    left = run("keys", "rotate", "--to", "d1", *at, numbers=numbers).stdout
    assert left.startswith("0 data keys wrapped, 0 indexes made anew, 0 left")
    numbers.put_keys(numbers.keys[0], new_key("d2", "intl"))
    left = run("keys", "rotate", "--to", "d2", *at, numbers=numbers, code=1).stdout
    assert "2 left" in left


def test_rotate_frees_the_old_key(numbers: Numbers, database_url: str) -> None:
    at = ("--database", database_url)
    second = new_key("d2", "intl")
    unknown = run("keys", "rotate", "--to", "d2", *at, numbers=numbers, code=1)
    assert isinstance(unknown.exception, SealingUnavailable)
    numbers.put_keys(numbers.keys[0], second)
    before = run("keys", "check", *at, numbers=numbers).stdout
    assert "d2\tintl\tnot used\t0 data keys, 0 indexes" in before
    done = run("keys", "rotate", "--to", "d2", *at, numbers=numbers).stdout
    assert done == (
        "1 data keys wrapped, 2 indexes made anew, 0 left; keys not needed any more: d1\n"
    )
    after = run("keys", "check", *at, numbers=numbers).stdout
    assert "d1\tintl\tnot used\t0 data keys, 0 indexes" in after
    assert "d2\tintl\tseals\t1 data keys, 2 indexes" in after


def test_the_server_does_not_start_without_the_keys_it_needs(
    numbers: Numbers, database_url: str
) -> None:
    for keys in ([new_key("d1", "intl")], [new_key("d2", "intl")]):
        numbers.put_keys(*keys)
        for command in (("serve",), ("keys", "check")):
            refused = run(*command, "--database", database_url, numbers=numbers, code=1)
            assert isinstance(refused.exception, SealingUnavailable)
            assert "d1" in refused.exception.detail
    numbers.file.unlink()
    refused = run("serve", "--database", database_url, numbers=numbers, code=1)
    assert isinstance(refused.exception, SealingUnavailable)


def test_where_no_numbers_are_kept_there_are_no_keys_to_look_after(sqlite_url: str) -> None:
    refused = run("keys", "check", "--database", sqlite_url, code=1)
    assert "JINGWEI_SEALED_PURPOSES" in refused.output
