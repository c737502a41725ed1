"""What a phone remembers about its contact: when it may speak, and how much it asks for."""

import json

import httpx

from clients.phone.clock import Chance, PhoneClock
from clients.phone.pacing import WAIT_MAX_S, Pacing
from clients.phone.store import Store
from clients.phone.transport import Answer
from sync.exchange import MUTATIONS_MAX

PAGE_BYTES_MAX = 262_144
PAGE_BYTES_MIN = 4_096


class Timing:
    """Kept on the phone's file, measured on the clock that people cannot set.

    After a reboot, what was to be waited for is unknown, so nothing is waited for.
    """

    def __init__(self, store: Store, *, clock: PhoneClock, chance: Chance) -> None:
        self._store = store
        self._clock = clock
        self._chance = chance

    @property
    def page_bytes(self) -> int:
        """How large a reply to ask for now."""
        return int(self._store.setting("page_bytes") or PAGE_BYTES_MAX)

    @property
    def batch_max(self) -> int:
        """How many mutations to send at once now."""
        return int(self._store.setting("batch_max") or MUTATIONS_MAX)

    def blocked_s(self) -> int:
        """How long the server asked to be left alone from now, in seconds."""
        return self._left_s("blocked")

    def due_in_s(self) -> int:
        """How many seconds to wait before the next automatic sync."""
        return max(self._left_s("due"), self.blocked_s())

    def replied(self, next_sync_s: int) -> None:
        """Note a reply; call inside the transaction that stores it."""
        self._keep_pacing(self._pacing().after_reply())
        self._keep_until("due", next_sync_s)
        self._resize(min(self.page_bytes * 2, PAGE_BYTES_MAX), self.batch_max * 2)

    def failed(self, answer: Answer) -> None:
        """Note a failure: wait longer each time; ask for less when it may have been size."""
        pacing, wait_s = self._pacing().after_failure(self._chance.random())
        with self._store.transaction():
            self._keep_pacing(pacing)
            self._keep_until("due", wait_s)
            if answer.retry_after_s is not None:
                self._keep_until("blocked", min(answer.retry_after_s, WAIT_MAX_S))
            elif _may_be_size(answer):
                self._resize(self.page_bytes // 2, self.batch_max // 2)

    def _resize(self, page_bytes: int, batch_max: int) -> None:
        self._store.keep_setting("page_bytes", max(page_bytes, PAGE_BYTES_MIN))
        self._store.keep_setting("batch_max", min(max(batch_max, 1), MUTATIONS_MAX))

    def _pacing(self) -> Pacing:
        text = self._store.setting("pacing")
        return Pacing() if text is None else Pacing(**json.loads(text))

    def _keep_pacing(self, pacing: Pacing) -> None:
        self._store.keep_setting(
            "pacing", json.dumps({"failures": pacing.failures, "budget": pacing.budget})
        )

    def _keep_until(self, name: str, span_s: int) -> None:
        until_ms = self._clock.uptime_ms + span_s * 1000
        self._store.keep_setting(name, json.dumps([self._clock.boot, until_ms]))

    def _left_s(self, name: str) -> int:
        text = self._store.setting(name)
        boot, until_ms = (None, 0) if text is None else json.loads(text)
        if boot != self._clock.boot:
            return 0
        left_ms = int(until_ms) - self._clock.uptime_ms
        return max(0, -(-left_ms // 1000))


def _may_be_size(answer: Answer) -> bool:
    status = answer.status
    return status is None or status in {200, 413} or status >= httpx.codes.INTERNAL_SERVER_ERROR
