"""The command line: what scripts may rely on."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer.main
import yaml
from sqlalchemy import insert, update
from sqlmodel import col
from typer.testing import CliRunner, Result

from server.app import create_app
from server.cli import app, main
from server.db.store import open_store
from server.db.tables import Bucket
from server.identity.tokens import PREFIX, token_hash
from server.problems import NotFound
from server.settings import Settings
from tests import services
from tests.server.people import build_people

SECONDS_TO_START = 60
UNSAFE = {"JINGWEI_ALLOW_UNSAFE": "1"}


def run(*arguments: str, database: str, code: int = 0) -> Result:
    result = CliRunner().invoke(
        app,
        [*arguments, "--database", database],
        env=UNSAFE,
        catch_exceptions=False,
    )
    assert result.exit_code == code, result.output
    return result


def populate(url: str) -> None:
    async def fill() -> None:
        store = open_store(url, allow_unsafe=True)
        await store.write(build_people)
        await store.close()

    asyncio.run(fill())


@pytest.fixture
def populated(database_url: str) -> str:
    populate(database_url)
    return database_url


def test_devices_are_listed_under_a_heading_and_an_unknown_area_is_refused(
    populated: str,
) -> None:
    heading, *phones = run("devices", "--failing", database=populated).stdout.splitlines()
    assert heading.split("\t")[:3] == ["device", "login", "status"]
    assert phones == []
    refused = CliRunner().invoke(
        app, ["devices", "--area", "nowhere", "--database", populated], env=UNSAFE
    )
    assert isinstance(refused.exception, NotFound)


def token_for(url: str, *more: str) -> str:
    options = ["--login", "li", "--role", "worker", "--area", "N1", *more]
    return run("token", "create", *options, database=url).stdout


def status_of(url: str, token: str) -> int:
    async def ask() -> int:
        store = open_store(url, allow_unsafe=True)
        transport = httpx.ASGITransport(app=create_app(Settings(), store=store))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            headers = {"authorization": f"Bearer {token}"}
            answer = await client.get("/v1/me", headers=headers)
        await store.close()
        return answer.status_code

    return asyncio.run(ask())


def test_a_token_is_all_that_is_printed_and_it_works(populated: str) -> None:
    printed = token_for(populated)
    token = printed.removesuffix("\n")
    assert token.startswith(PREFIX)
    assert len(token.split()) == 1
    assert status_of(populated, token) == 200
    assert token_for(populated) != printed, "a second token for the same account"


def test_tokens_are_listed_by_hash_and_revoked(populated: str) -> None:
    token = token_for(populated).strip()
    listed = run("token", "list", "--login", "li", database=populated).stdout
    assert token not in listed
    prefix = listed.split()[0]
    assert token_hash(token).startswith(prefix)
    run("token", "revoke", prefix, database=populated)
    assert status_of(populated, token) == 401
    assert "revoked" in run("token", "list", "--login", "li", database=populated).stdout
    run("token", "revoke", prefix, database=populated, code=1)
    run("token", "revoke", "ab", database=populated, code=2)


@pytest.mark.parametrize(
    "options",
    [
        ["--role", "dispatcher", "--area", "N1"],
        ["--role", "worker", "--area", "N2"],
        ["--role", "worker"],
        ["--role", "worker", "--area", "NOWHERE"],
    ],
)
def test_an_account_keeps_its_role_and_area(
    populated: str,
    options: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    token_for(populated)
    monkeypatch.setenv("JINGWEI_ALLOW_UNSAFE", "1")
    arguments = ["token", "create", "--login", "li", *options, "--database", populated]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines()[-1].startswith("jingwei: ")


def test_an_unknown_role_is_a_usage_error(sqlite_url: str) -> None:
    run("token", "create", "--login", "li", "--role", "king", database=sqlite_url, code=2)


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "rubbish", "sqlite:///:memory:"])
def test_another_database_is_a_usage_error(url: str) -> None:
    result = run("doctor", database=url, code=2)
    assert "postgresql://" in result.output


def test_migrating_makes_a_store_and_may_be_repeated(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/deep/er/new.gpkg"
    run("migrate", database=url)
    run("migrate", database=url)
    assert (tmp_path / "deep/er/new.gpkg").stat().st_size > 0
    run("doctor", database=url)


def test_an_admin_token_can_be_made_before_anything_else(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.gpkg"
    made = run("token", "create", "--login", "root", "--role", "admin", database=url)
    assert status_of(url, made.stdout.strip()) == 200


def test_the_openapi_document_is_the_same_every_time(tmp_path: Path) -> None:
    output = tmp_path / "openapi.yaml"
    first = CliRunner().invoke(app, ["openapi"]).stdout
    CliRunner().invoke(app, ["openapi", "--output", str(output)])
    assert output.read_text(encoding="utf-8") == first
    document = yaml.safe_load(first)
    assert document["openapi"].startswith("3.1")
    assert document == create_app(Settings()).openapi()


def test_the_doctor_finds_a_healthy_store_healthy(sqlite_url: str) -> None:
    populate(sqlite_url)
    shown = run("doctor", "--reproject", "--refold", database=sqlite_url).stdout
    assert "BAD" not in shown
    assert {"schema", "file", "geopackage", "derived", "history"} <= {
        line.split()[1].rstrip(":") for line in shown.splitlines()
    }


def test_the_doctor_finds_a_digest_that_does_not_follow(sqlite_url: str) -> None:
    async def damage() -> None:
        store = open_store(sqlite_url)
        row = {"epoch": 1, "seq": 1, "digest": "f" * 16, "count": 1, "tombstone_floor": 0}
        await store.write(
            lambda db: db.execute(insert(Bucket).values(id="config", **row)).rowcount
        )
        await store.write(
            lambda db: (
                db.execute(
                    update(Bucket).where(col(Bucket.id) == "config").values(count=2)
                ).rowcount
            )
        )
        await store.close()

    asyncio.run(damage())
    run("doctor", database=sqlite_url)
    shown = run("doctor", "--reproject", database=sqlite_url, code=1).stdout
    assert "BAD  derived values: 1 differences: bucket config: digest" in shown


def test_maintenance_may_be_tried_and_repeated(populated: str) -> None:
    line = "what left long ago: 0 forgotten in 0 buckets"
    for options in (("--dry-run",), (), ("--tombstone-days", "1")):
        assert line in run("maintain", *options, database=populated).stdout


def test_the_doctor_names_unsafe_postgresql_settings(postgres_url: str) -> None:
    shown = run("doctor", database=postgres_url, code=1).stdout
    assert "BAD  durability: these are off: " in shown
    assert "fsync" in shown


def test_the_doctor_looks_at_redis(
    sqlite_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JINGWEI_REDIS_URL", redis_url)
    assert "ok   redis: connected" in run("doctor", database=sqlite_url).stdout
    monkeypatch.setenv("JINGWEI_REDIS_URL", "redis://127.0.0.1:9/0")
    assert "BAD  redis: does not answer" in run("doctor", database=sqlite_url, code=1).stdout


def commands(group: object, path: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, command in getattr(group, "commands", {}).items():
        found.append((f"{path} {name}".strip(), command))
        found += commands(command, f"{path} {name}")
    return found


def test_every_command_teaches_with_an_example() -> None:
    known = commands(typer.main.get_command(app))
    assert {"serve", "migrate", "doctor", "openapi", "import", "export", "token create"} <= {
        name for name, _ in known
    }
    for name, command in known:
        if not getattr(command, "commands", None):
            assert f"jingwei {name}" in (command.help or ""), name


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def start(url: str, port: int, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "server", "serve", "--port", str(port), *more],
        env=os.environ | {"JINGWEI_DATABASE_URL": url, "JINGWEI_ALLOW_UNSAFE": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


def ready(port: int) -> bool:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                return True
        except httpx.TransportError:
            time.sleep(0.05)
    return False


@pytest.mark.slow
def test_serving_makes_a_new_store_and_ends_when_told(tmp_path: Path) -> None:
    port = free_port()
    server = start(f"sqlite:///{tmp_path}/new.gpkg", port)
    try:
        assert ready(port)
        begun = time.monotonic()
        server.send_signal(signal.SIGTERM)
        _, said = server.communicate(timeout=20)
        assert time.monotonic() - begun < 10
        assert "Traceback" not in said
    finally:
        server.kill()
        server.communicate()


def address_said(server: subprocess.Popen[str]) -> str:
    """The address that a server says it listens on."""
    assert server.stderr is not None
    found = (re.search(r"running on (http://[0-9.]+:[0-9]+)", line) for line in server.stderr)
    return next(each.group(1) for each in found if each is not None)


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--workers", "2")])
def test_serving_on_any_free_port_says_which(postgres_url: str, more: tuple[str, ...]) -> None:
    server = start(postgres_url, 0, *more)
    try:
        port = int(address_said(server).rpartition(":")[2])
        assert port != 0
        assert ready(port)
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=20)


def test_the_version_is_the_one_of_the_package() -> None:
    shown = CliRunner().invoke(app, ["--version"])
    assert (shown.exit_code, shown.stdout.strip()) == (0, version("jingwei"))


@pytest.mark.slow
def test_serving_with_two_workers_on_postgresql(postgres_url: str) -> None:
    port = free_port()
    server = start(postgres_url, port, "--workers", "2")
    try:
        assert ready(port)
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=20)


def test_serving_refuses_a_postgresql_that_was_not_migrated(
    postgres: services.Postgres,
) -> None:
    url = postgres.create("not_migrated")
    try:
        result = run("serve", database=url, code=1)
        assert "jingwei migrate" in result.output
    finally:
        postgres.drop("not_migrated")


def test_serving_refuses_an_unsafe_postgresql(postgres_url: str) -> None:
    server = subprocess.run(
        [sys.executable, "-m", "server", "serve", "--port", "0", "--database", postgres_url],
        env={name: value for name, value in os.environ.items() if "JINGWEI" not in name},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert server.returncode == 1
    assert "fsync" in server.stderr
    assert "Traceback" not in server.stderr


def test_serving_refuses_several_workers_on_the_embedded_store(sqlite_url: str) -> None:
    result = run("serve", "--workers", "2", database=sqlite_url, code=1)
    assert "PostgreSQL" in result.output


def test_the_list_of_what_was_erased_is_written_taken_back_and_checked(
    database_url: str, tmp_path: Path
) -> None:
    async def build() -> None:
        store = open_store(database_url, allow_unsafe=True)
        await store.write(build_people)
        await store.close()

    asyncio.run(build())
    record = "01930000-0000-7000-8000-000000000001"
    line = f"{record}\thousehold\t\tperson_asked"
    listed = tmp_path / "erasures.tsv"
    listed.write_text(f"{line}\n", encoding="utf-8")
    apply = ["erasures", "apply", str(listed), "--login", "dispatcher"]
    assert "1 listed, 1 erased again" in run(*apply, database=database_url).output
    assert "1 listed, 0 erased again" in run(*apply, database=database_url).output
    assert line in run("erasures", "list", database=database_url).output
    run("maintain", "--rewrite", database=database_url)
    run(*apply[:-1], "nobody", database=database_url, code=1)
    listed.write_text(f"{line}\nsomebody\n", encoding="utf-8")
    assert "line 2" in run(*apply, database=database_url, code=1).output
    listed.write_bytes(b"\xff")
    run(*apply, database=database_url, code=1)
