"""What a phone drops by itself when it has heard nothing for too long (protocol section 5)."""

import json

from clients.phone.clock import PhoneClock, read
from clients.phone.store import Store
from sync.exchange import SyncReply
from sync.expiry import Expiry, moved_on
from sync.mutation import ClockReading

KEEP_SETTLED_MS = 14 * 86_400_000
HOUR_MS = 3_600_000
CONFIG = "config"
_SETTING = "purge"


class Absence:
    """Counts down from each reply, on the phone's file, also through restarts.

    When the time is over, everything but the configuration and the outbox goes; so do settled
    mutations whose 14 days are over. The next contact brings what may be held again.
    """

    def __init__(self, store: Store, *, clock: PhoneClock) -> None:
        self._store = store
        self._clock = clock

    def heard(self, reply: SyncReply) -> None:
        """Begin to count anew; call inside the transaction that stores the reply."""
        if reply.purge_after_s is None:
            self._store.keep_setting(_SETTING, None)
            return
        now = read(self._clock)
        left_ms = reply.purge_after_s * 1000
        self._keep(Expiry(left_ms=left_ms, server_ms=reply.server_time_ms, read=now))

    def is_over(self) -> bool:
        """Say whether the time is over; then nothing but the configuration is held."""
        known = self._known()
        return known is not None and moved_on(known, read(self._clock)).left_ms == 0

    def now_ms(self) -> int:
        """Return the time as the phone knows it: the server's, and what passed since."""
        known, now = self._known(), read(self._clock)
        return now.wall_ms if known is None else moved_on(known, now).server_ms

    def check(self) -> None:
        """Drop what must go, if the time is over. Call before anything is shown."""
        known = self._known()
        if known is None:
            return
        now = moved_on(known, read(self._clock))
        if now.left_ms == 0 and self._must_drop(known, now):
            self._drop(now)
        elif now.read.boot != known.read.boot:
            self._keep(now)

    def _must_drop(self, known: Expiry, now: Expiry) -> bool:
        """Whatever is held goes at once, and now and then what may be forgotten later."""
        return bool(self._held()) or now.server_ms - known.server_ms >= HOUR_MS

    def _held(self) -> list[str]:
        return [row.id for row in self._store.buckets() if row.id != CONFIG]

    def _drop(self, now: Expiry) -> None:
        held = self._held()
        with self._store.transaction():
            self._store.purge(held)
            self._store.lift_overlay()
            self._store.forget_settled(before_ms=now.server_ms - KEEP_SETTLED_MS)
            self._keep(now)
        if held:
            self._store.scrub()

    def _known(self) -> Expiry | None:
        text = self._store.setting(_SETTING)
        if text is None:
            return None
        left_ms, server_ms, wall_ms, uptime_ms, boot = json.loads(text)
        then = ClockReading(wall_ms=wall_ms, uptime_ms=uptime_ms, boot=boot)
        return Expiry(left_ms=left_ms, server_ms=server_ms, read=then)

    def _keep(self, expiry: Expiry) -> None:
        then = expiry.read
        written = [expiry.left_ms, expiry.server_ms, then.wall_ms, then.uptime_ms, then.boot]
        self._store.keep_setting(_SETTING, json.dumps(written))
