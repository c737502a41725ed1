"""Fixtures every test may ask for: a fresh migrated store on either database, Redis, profiles.

`database_url` (and so `store`) runs a test twice, once per database; ask for `sqlite_url` or
`postgres_url` where only one can be meant. Each test gets a database of its own. Servers start
when the first test needs them, once per session.
"""

import os
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from typing_extensions import override
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling, Scheduling

from server.db.store import Store, open_store
from server.migrations import migrate
from tests import services
from tests.places import memory

# Hypothesis has a profile `ci` of its own and loads it by itself where the variable CI is set:
# with deadlines, which on a shared machine tell of its neighbours. Registering ours under that
# name and loading it by name replaces it. It tries the same examples for ever, so more of them
# would cost a build server minutes and find nothing new; that is the nightly run's business.
_SHARED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", _SHARED, max_examples=50)
settings.register_profile(
    "ci", _SHARED, max_examples=100, derandomize=True, database=None, print_blob=True
)
settings.register_profile(
    "nightly",
    _SHARED,
    max_examples=20_000,
    stateful_step_count=100,
    derandomize=False,
    print_blob=True,
)
# A broken rule is to be noticed, not explained: no time goes into a smaller example of it.
settings.register_profile(
    "mutants",
    _SHARED,
    max_examples=60,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
)

# One test's token does in seconds what a worker does in weeks; quotas have tests of their own.
os.environ.setdefault("JINGWEI_LIMIT_CALLER_REQUESTS", "1000000")

if (_place := memory()) is not None:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_place))

_TEMPLATE = "jingwei_template"
_TOGETHER = ("tests/docs/test_commands.py", "tests/faults/")
"""Tests that share a fixture of many seconds: one worker of a parallel run takes them all."""


class _Sharing(LoadScopeScheduling):
    """Every test goes to the next free worker, but for those that belong together."""

    @override
    def _split_scope(self, nodeid: str) -> str:
        return next((each for each in _TOGETHER if nodeid.startswith(each)), nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    """Who takes which test when tests run in parallel."""
    return _Sharing(config, log)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests and fixtures run on asyncio, the server's own loop."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Iterator[services.Postgres]:
    """The session's PostgreSQL cluster, holding one migrated template database."""
    try:
        cluster = services.Postgres()
    except services.ServiceMissing as missing:
        pytest.fail(str(missing), pytrace=False)
    try:
        migrate(cluster.start().create(_TEMPLATE))
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite store that tests copy."""
    path = tmp_path_factory.mktemp("template") / "jingwei.gpkg"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def postgres_url(postgres: services.Postgres) -> Iterator[str]:
    """A fresh, migrated PostgreSQL database."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield postgres.create(name, template=_TEMPLATE)
    postgres.drop(name)


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh, migrated SQLite store."""
    path = tmp_path / "store" / "jingwei.gpkg"
    path.parent.mkdir()
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh, migrated store; the test runs once per database."""
    wanted = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    return str(request.getfixturevalue(wanted))


@pytest.fixture
async def store(database_url: str, anyio_backend: str) -> AsyncIterator[Store]:  # noqa: ARG001
    """The opened store of `database_url`."""
    opened = open_store(database_url, allow_unsafe=True)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[services.Redis]:
    """The session's Redis. A test that stops Redis makes its own `services.Redis()`."""
    try:
        server = services.Redis()
    except services.ServiceMissing as missing:
        pytest.fail(str(missing), pytrace=False)
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def redis_url(redis_server: services.Redis) -> str:
    """The address of an empty Redis."""
    redis_server.flush()
    return redis_server.url
