"""Connections that break after exactly k bytes, of the request or of the reply, and worse."""

import random
from collections.abc import Iterator

from tests.faults.books import audit, come_to_rest
from tests.faults.crew import Hand
from tests.faults.proxy import Fate, Proxy, Way
from tests.faults.report import Report
from tests.faults.stage import Stage

EXCHANGES = 20
SAMPLED = (0, 1, 2, 6)
RETRIES_MAX = 1
DELAY_S = 0.03
_ENDS = (Way.CLOSE, Way.RESET)


def cut_exchanges(report: Report, stage: Stage, *, sample: int | None, seed: int) -> None:
    """Cut four exchanges at `sample` places in all, or twenty at every byte."""
    chance = random.Random(seed)  # noqa: S311
    stage.server.start()
    proxy = Proxy(stage.server.port)
    try:
        hand = stage.hand(1, url=f"http://127.0.0.1:{proxy.port}")
        for rounds, fate in _plan(hand, proxy, chance, sample):
            hand.work(rounds)
            _suffer(report, hand, proxy, fate)
        report.injected = proxy.broken
        come_to_rest(report, stage.hands)
    finally:
        proxy.close()
    audit(report, stage.url, stage.hands)


def _plan(
    hand: Hand, proxy: Proxy, chance: random.Random, sample: int | None
) -> Iterator[tuple[int, Fate]]:
    chosen_rounds = range(EXCHANGES) if sample is None else SAMPLED
    for rounds in chosen_rounds:
        hand.work(rounds)
        hand.attempt()
        up, down = proxy.carried
        everywhere = [
            Fate(way=chance.choice(_ENDS), after=k, of_reply=of_reply)
            for of_reply, size in ((False, up), (True, down))
            for k in range(size)
        ]
        if sample is None:
            chosen = everywhere
        else:
            chosen = chance.sample(everywhere, min(len(everywhere), sample // len(SAMPLED)))
        for fate in (*chosen, *_others(up, chance)):
            yield rounds, fate


def _others(up: int, chance: random.Random) -> list[Fate]:
    return [
        Fate(way=Way.HALF_CLOSE, after=chance.randrange(1, max(up, 2))),
        Fate(way=Way.DELAY, seconds=DELAY_S, of_reply=chance.random() < 0.5),
        Fate(way=Way.DUPLICATE),
    ]


def _suffer(report: Report, hand: Hand, proxy: Proxy, fate: Fate) -> None:
    """Let one fate happen to the next contact; the one after that must get through."""
    proxy.coming.append(fate)
    failures = 0
    while hand.attempt().failure is not None:
        failures += 1
        if failures > RETRIES_MAX:
            report.breach("retries", f"more than one retry after {fate.way}")
            return
    proxy.coming.clear()
