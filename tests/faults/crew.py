"""Workers with real phones who write things down and do not give up until all is settled.

The phone is the reference client; what it was told is final is in its own file and is the
journal that the server's books are compared with. Pauses that the server asks for are kept, but
on the phone's clock, which a test may turn.
"""

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Self

import httpx

from clients.phone import Phone, SteppedClock, SyncReport
from server.clock import now_ms
from sync.exchange import WireOutcome

SETTLE_S = 60.0
IDLE_MAX = 5
REST_S = 0.01


@dataclass
class Heard:
    """What servers answered: every status, and errors that do not say when to come again."""

    statuses: list[int] = field(default_factory=list)
    bare_500s: int = 0
    broken: int = 0

    def note(self, response: httpx.Response) -> None:
        self.statuses.append(response.status_code)
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self.bare_500s += "retry-after" not in response.headers


class Hand:
    """A worker with a phone: additive work with known ids, and edits of unique values."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        households: Sequence[str],
        seed: int,
        timeout_s: float = 8,
    ) -> None:
        self.heard = Heard()
        self.attempts = 0
        self.households = tuple(households)
        self.notes: set[str] = set()
        self._http = httpx.Client(
            timeout=timeout_s,
            limits=httpx.Limits(max_keepalive_connections=0),  # so that each request has a fate
            event_hooks={"response": [self.heard.note]},
        )
        self._clock = SteppedClock(wall_ms=now_ms(), uptime_ms=10**9, boot=f"boot-{seed}")
        self._chance = random.Random(seed)  # noqa: S311
        self.phone = Phone(":memory:", self._http, clock=self._clock, chance=self._chance)
        self.phone.enrol(url, token)
        self.settle()

    def close(self) -> None:
        self.phone.close()
        self._http.close()

    def work(self, rounds: int = 1) -> None:
        """Write down a note and two edits of one household, `rounds` times."""
        for _ in range(rounds):
            household = self._chance.choice(self.households)
            stamp = f"{self._chance.getrandbits(48):012x}"
            note = self.phone.create("note", set={"parent": household, "text": stamp})
            self.notes.add(note)
            self.phone.edit(household, set={"door": f"{stamp[:6]}-1"})
            self.phone.edit(household, set={"door": f"{stamp[6:]}-2"})
            self._clock.advance(7)

    def attempt(self) -> SyncReport:
        """Contact the server once, as soon as it wants to be contacted."""
        self._clock.advance(1_000 * self.phone.due_in_s())
        self.attempts += 1
        report = self.phone.sync()
        self.heard.broken += report.failure is not None
        return report

    def settle(self, timeout_s: float = SETTLE_S) -> bool:
        """Try until nothing waits and every copy agrees; say whether that came in time.

        A phone whose contacts succeed and change nothing is stuck, however long it waits.
        """
        deadline = time.monotonic() + timeout_s
        idle = 0
        while idle < IDLE_MAX and time.monotonic() < deadline:
            before = self.phone.pending()
            report = self.attempt()
            if report.failure is None and report.up_to_date and not self.phone.pending():
                return True
            if report.identity_doubtful:
                return False
            idle += report.failure is None and before == self.phone.pending()
            time.sleep(REST_S)
        return False

    @property
    def acknowledged(self) -> list[WireOutcome]:
        """What the phone believes to be final."""
        return self.phone.outcomes()


class Shift:
    """Hands that work at the same time, each in a thread, until the block ends."""

    def __init__(self, hands: Sequence[Hand], *, pause_s: float = REST_S) -> None:
        self._hands = hands
        self._pause_s = pause_s
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._toil, args=(each,)) for each in hands]
        self.troubles: list[BaseException] = []

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for each in self._threads:
            each.join()
        if self.troubles:
            raise self.troubles[0]

    def _toil(self, hand: Hand) -> None:
        try:
            while not self._over.is_set():
                if len(hand.phone.pending()) < 60:
                    hand.work()
                hand.attempt()
                self._over.wait(self._pause_s)
        except BaseException as trouble:  # noqa: BLE001 - raised again in the main thread
            self.troubles.append(trouble)
