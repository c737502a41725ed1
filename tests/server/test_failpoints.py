"""Steps at which a test can make the process fail: what is answered then, and who may ask."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from server.clock import new_id
from server.db import failpoints
from server.db.failpoints import STEPS, FailpointsRefused, arm, reach
from server.db.store import Store
from server.replication.reproject import compare
from tests.server.phones import RawPhone, held
from tests.style.sources import ROOT
from tests.world import World


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    arm("", allowed=False)


@pytest.mark.anyio
@pytest.mark.db
@pytest.mark.parametrize("step", STEPS[:-2])
async def test_an_io_error_at_any_step_is_a_refusal_that_says_when_to_come_again(
    client: httpx.AsyncClient, store: Store, world: World, step: str
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    said = {"parent": world.households["G1"], "text": "seen"}
    note = phone.change(new_id(), "note", 0, set=said)
    arm(f"{step}=fail@1", allowed=True)
    answer = await phone.post(phone.body([note]))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["type"] == "/problems/temporary-reduced-capacity"
    reply = await phone.sync([note])
    assert reply["settled_through"] == 1
    assert held(reply)[note["record"]]["rev"] == 1
    assert await store.read(lambda db: list(compare(db))) == []


@pytest.mark.anyio
@pytest.mark.db
@pytest.mark.parametrize("step", STEPS[-2:])
async def test_an_answer_that_breaks_off_is_not_continued_with_another(
    client: httpx.AsyncClient, world: World, step: str
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    arm(f"{step}=fail@1", allowed=True)
    answer = await phone.post(phone.body([]))
    assert answer.status_code == 200
    assert (await phone.sync())["settled_through"] == 0


def test_nothing_is_armed_where_work_is_done_in_earnest() -> None:
    with pytest.raises(FailpointsRefused, match="JINGWEI_ALLOW_UNSAFE"):
        arm("stored=kill", allowed=False)
    arm("", allowed=False)
    reach("stored")


@pytest.mark.parametrize(
    "wrong", ["stored", "nowhere=kill", "stored=explode", "stored=kill@", "stored=sleep"]
)
def test_what_is_not_understood_is_refused(wrong: str) -> None:
    with pytest.raises(FailpointsRefused, match="no such fail point"):
        arm(wrong, allowed=True)


def test_a_step_acts_on_its_turn_and_others_pass() -> None:
    arm("stored=fail@2, begun=fail", allowed=True)
    reach("stored")
    reach("planned")
    with pytest.raises(OSError, match="a fail point"):
        reach("stored")
    reach("stored")
    for _ in range(2):
        with pytest.raises(OSError, match="a fail point"):
            reach("begun")


def test_a_step_can_take_its_time() -> None:
    arm("stored=sleep(0.05)", allowed=True)
    begun = time.monotonic()
    reach("stored")
    assert time.monotonic() - begun >= 0.05


def test_a_step_can_end_the_process_without_warning() -> None:
    code = (
        f"from {failpoints.__name__} import arm, reach\n"
        "arm('stored=kill', allowed=True)\n"
        "reach('stored')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL


def test_a_server_with_fail_points_does_not_start_unless_it_may_be_unsafe(
    sqlite_url: str,
) -> None:
    command = [sys.executable, "-m", "server", "serve", "--port", "0", "--database", sqlite_url]
    environment = {
        **os.environ,
        "JINGWEI_FAILPOINTS": "stored=kill",
        "JINGWEI_ALLOW_UNSAFE": "false",
    }
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, capture_output=True, timeout=60
    )
    assert done.returncode == 1
    assert b"JINGWEI_ALLOW_UNSAFE" in done.stderr
