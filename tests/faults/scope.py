"""Two promises to those who ask: they are woken in time, and get only what they may hold."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

import httpx

from server.clock import new_id
from tests.faults.crew import Hand
from tests.faults.report import Report
from tests.faults.stage import Stage
from tests.server.phones import RawPhone, bearer

WAIT_S = 20
REGISTERED_S = 0.3
"""By then a request that waits has been noted."""


def token_of(hand: Hand) -> str:
    return hand.phone._store.setting("token") or ""


def wake_waiters(report: Report, stage: Stage, *, rounds: int) -> None:
    """Who is woken by the long poll and asks at once finds the change."""
    stage.server.start()
    writer, waiter = stage.hand(1), stage.hand(3)
    with ThreadPoolExecutor(1) as thread:
        for _ in range(rounds):
            if not (writer.settle() and waiter.settle()):
                report.stuck += 1
            report.injected += 1
            woken = thread.submit(_news_after_waking, stage, waiter)
            while not woken.done():
                time.sleep(REGISTERED_S)
                if not woken.done():
                    writer.work()
                    writer.attempt()
            if not woken.result():
                report.breach("waiters", "somebody was woken before there was news")


def _news_after_waking(stage: Stage, waiter: Hand) -> bool:
    """Wait until the server says that something changed, ask, and say whether it is there."""
    before = waiter.phone.bodies()
    url = f"{stage.server.url}/v1/sync/wait?timeout_s={WAIT_S}"
    answer = httpx.get(url, headers=bearer(token_of(waiter)), timeout=2 * WAIT_S)
    answer.raise_for_status()
    waiter.attempt()
    return bool(answer.json()["changed"]) and waiter.phone.bodies() != before


def probe_scope(report: Report, stage: Stage) -> None:
    """Ask every call of the protocol for what lies outside the worker's grids."""
    stage.server.start()
    hand = stage.hand(0)
    hand.settle()
    world = stage.world
    foreign = {world.households["G3"], world.dwellings["G4"], world.grids["G3"]}
    headers = bearer(token_of(hand))
    with httpx.Client(base_url=stage.server.url, headers=headers) as client:
        for grid, _ in zip(cycle(("G3", "G4")), range(4), strict=False):
            report.injected += 1
            answer = client.get(f"/v1/sync/manifests/grid:{world.grids[grid]}")
            if answer.status_code != httpx.codes.NOT_FOUND:
                report.breach("scope", "a manifest of a foreign grid was sent")
        report.injected += 1
        answer = client.post("/v1/sync/records", json={"records": sorted(foreign)})
        if any(each in answer.text for each in foreign):
            report.breach("scope", "a foreign record was sent again")
        phone = RawPhone(client=None, id="", token="", lease=hand.phone._store.setting("lease"))
        listed = {"id": f"grid:{world.grids['G3']}", "epoch": 0, "seq": 0, "digest": "0" * 16}
        phone.cursors[new_id()] = listed
        report.injected += 1
        answer = client.post("/v1/sync", json=phone.body([]))
        if any(each in answer.text for each in foreign - {world.grids["G3"]}):
            report.breach("scope", "a foreign grid was sent because a phone listed it")
