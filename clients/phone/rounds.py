"""The rounds of a sync: send, apply one reply in one transaction, and go on until done."""

import json

import httpx

from clients.phone.absence import KEEP_SETTLED_MS, Absence
from clients.phone.catchup import CatchUp, asks_to_compare, forgive, repair_step
from clients.phone.clock import Chance, PhoneClock, read
from clients.phone.outbox import (
    DOUBTFUL,
    as_mutation,
    carry_over,
    is_between_identities,
    last_n,
    must_offer_former,
    next_batch,
    offer_former,
)
from clients.phone.repair import Broken
from clients.phone.report import Failure, SyncReport, Tally
from clients.phone.store import BucketRow, OutboxRow, Store
from clients.phone.timing import Timing
from clients.phone.transport import Answer, Line, post_json
from clients.phone.uploads import WANTED
from sync.canonical import digest_of
from sync.errors import ProtocolError
from sync.exchange import BucketCursor, BucketPage, Limits, SyncReply, SyncRequest, Take, Why
from sync.mutation import SCHEMA
from sync.outcome import Code
from sync.replica import Followed, digest_of_bodies, page_effect, settlement
from sync.wire import decode_reply, encode_request

ROUNDS_MAX = 2_000
APP_VERSION = "1.0.0"


class Rounds:
    """Contact of one phone with its server. One request is in flight at a time."""

    def __init__(
        self, store: Store, http: httpx.Client, *, clock: PhoneClock, chance: Chance
    ) -> None:
        self._store = store
        self._http = http
        self._clock = clock
        self._timing = Timing(store, clock=clock, chance=chance)
        self._limits = Limits()
        self._absence = Absence(store, clock=clock)

    def due_in_s(self) -> int:
        """How many seconds to wait before the next automatic sync."""
        return self._timing.due_in_s()

    def run(self) -> SyncReport:
        """Go on until nothing waits and every bucket is complete, or until something fails."""
        self._absence.check()
        blocked_s = self._timing.blocked_s()
        if blocked_s:
            return SyncReport(
                failure=Failure(slug="waiting"),
                wait_s=blocked_s,
                identity_doubtful=self._is_doubtful(),
            )
        tally = Tally(
            unchecked={row.id for row in self._store.buckets()},
            identity_doubtful=self._is_doubtful(),
        )
        catch_up = CatchUp(self._store, self._line(tally), tally)
        for _ in range(ROUNDS_MAX):
            failure = self._caught_up(catch_up) or self._round(tally)
            if failure is not None:
                return tally.report(failure=failure, wait_s=self.due_in_s(), up_to_date=False)
            if self._done(tally) or not tally.progress:
                break
        return tally.report(
            failure=None, wait_s=self.due_in_s(), up_to_date=self.is_up_to_date()
        )

    def is_up_to_date(self) -> bool:
        """Say whether every bucket was followed to its end and has the server's digest."""
        rows = self._store.buckets()
        return (
            self._store.setting("incarnation") is not None
            and not self._absence.is_over()
            and all(row.complete for row in rows)
            and not any(self._differs(row) for row in rows)
        )

    def _is_doubtful(self) -> bool:
        return self._store.setting(DOUBTFUL) is not None

    def _doubt(self, tally: Tally) -> None:
        """Note that a new identity is needed, in the file too: the caller may not live on."""
        tally.identity_doubtful = True
        self._store.keep_setting(DOUBTFUL, 1)

    def _differs(self, row: BucketRow) -> bool:
        return digest_of_bodies(self._store.bodies(row.id)) != row.digest

    def _line(self, tally: Tally) -> Line:
        def address() -> tuple[str, str]:
            return self._store.setting("base_url") or "", self._store.setting("token") or ""

        return Line(self._http, address=address, count=tally.count)

    def _caught_up(self, catch_up: CatchUp) -> Failure | None:
        try:
            catch_up.run()
        except Broken as broken:
            self._timing.failed(broken.answer)
            return broken.failure
        return None

    def _done(self, tally: Tally) -> bool:
        """Say whether this sync is over; what differs is repaired, in steps that come once."""
        if self._store.waiting(limit=1) or tally.unchecked:
            return False
        again = False
        with self._store.transaction():
            for row in self._store.buckets():
                if not self._differs(row):
                    forgive(self._store, row.id)
                elif repair_step(self._store, row.id, tally):
                    again = True
        tally.progress |= again
        return not again

    def _round(self, tally: Tally) -> Failure | None:
        with self._store.transaction():
            batch = next_batch(
                self._store, limits=self._limits, batch_max=self._timing.batch_max
            )
            self._store.mark_sent([row.n for row in batch])
        listed = self._listed(tally)
        answer = post_json(
            self._http,
            f"{self._store.setting('base_url') or ''}/v1/sync",
            self._store.setting("token") or "",
            self._request(batch, listed, takes=_takes(tally)),
        )
        tally.count(answer)
        reply = _reply_of(answer)
        if isinstance(reply, Failure):
            self._timing.failed(answer)
            if reply.slug == "stale-lease":
                self._doubt(tally)
            return reply
        with self._store.transaction():
            self._apply(reply, batch, listed, tally)
            self._absence.heard(reply)
            erased = self._forget_erased(reply)
            self._timing.replied(reply.next_sync_s)
        if erased:
            self._store.scrub()
        return None

    def _forget_erased(self, reply: SyncReply) -> bool:
        """Overwrite what the outbox says of people who were erased; say whether any were."""
        erased = {
            gone.record
            for page in reply.buckets
            for gone in page.gone
            if gone.why == Why.ERASED
        }
        late = any(outcome.code == Code.ERASED for outcome in reply.outcomes)
        if erased or late:
            self._store.forget_said_of(erased)
        return bool(erased) or late

    def _listed(self, tally: Tally) -> list[BucketRow]:
        """Return the buckets to ask about: those not checked in this sync come first."""
        rows = self._store.buckets()
        rows.sort(key=lambda row: (row.complete and row.id not in tally.unchecked, row.id))
        return rows[: self._limits.buckets]

    def _request(
        self, batch: list[OutboxRow], listed: list[BucketRow], *, takes: tuple[str, ...]
    ) -> bytes:
        return encode_request(
            SyncRequest(
                app_version=APP_VERSION,
                app_schema=SCHEMA,
                lease=self._store.setting("lease"),
                clock=read(self._clock),
                last_n=last_n(self._store),
                mutations=tuple(as_mutation(row) for row in batch),
                buckets=tuple(
                    BucketCursor(
                        id=row.id,
                        epoch=row.epoch,
                        seq=row.seq,
                        digest=digest_of(self._store.hashes(row.id)),
                    )
                    for row in listed
                ),
                max_bytes=self._timing.page_bytes,
                takes=takes,
            )
        )

    def _apply(
        self,
        reply: SyncReply,
        batch: list[OutboxRow],
        listed: list[BucketRow],
        tally: Tally,
    ) -> None:
        """Store everything a reply says; the caller holds the transaction."""
        self._limits = reply.limits
        tally.outdated = reply.schema is not None and reply.schema.newest > SCHEMA
        tally.now_ms = reply.server_time_ms
        tally.progress = self._settle(reply, batch, tally)
        self._store.follow(reply.enter)
        tally.gone += self._store.purge(reply.leave)
        tally.progress |= bool(reply.leave)
        tally.unchecked |= set(reply.enter)
        tally.unchecked -= set(reply.leave)
        self._apply_pages(reply, tally)
        answered = {page.id for page in reply.buckets}
        unchanged = [row.id for row in listed if row.id not in answered]
        if tally.renewed:
            unchanged = []
        self._store.mark_complete(unchanged)
        tally.unchecked -= set(unchanged)
        if all(row.complete for row in self._store.buckets()):
            self._store.lift_overlay()
        self._store.forget_settled(before_ms=reply.server_time_ms - KEEP_SETTLED_MS)
        self._store.keep_setting("lease", reply.lease)
        self._store.keep_setting(WANTED, json.dumps(reply.media_wanted))

    def _settle(self, reply: SyncReply, batch: list[OutboxRow], tally: Tally) -> bool:
        known = self._store.setting("incarnation")
        said = settlement(
            reply,
            sent=[(row.n, row.record) for row in batch],
            settled=self._store.settled(),
            incarnation=known,
        )
        self._store.settle(said.final, settled_ms=reply.server_time_ms)
        tally.outcomes |= {outcome.n: outcome for outcome in said.final}
        if said.identity_doubtful:
            self._doubt(tally)
        tally.renewed = known not in {None, reply.incarnation}
        carried = is_between_identities(self._store)
        if carried:
            carry_over(self._store, settled_too=tally.renewed)
        if tally.renewed:
            self._store.offer_again(said.offer_again)
            self._store.rewind()
            tally.unchecked |= {row.id for row in self._store.buckets()}
            first = next((row.n for row in self._store.waiting(limit=1)), 0)
            if first > reply.settled_through + 1:
                self._doubt(tally)
            offer_former(self._store)
        tally.identity_doubtful |= must_offer_former(self._store)
        self._store.keep_setting("incarnation", reply.incarnation)
        return bool(said.final) or tally.renewed or carried

    def _apply_pages(self, reply: SyncReply, tally: Tally) -> None:
        rows = {row.id: row for row in self._store.buckets()}
        followed = {
            row.id: Followed(id=row.id, epoch=row.epoch, seq=row.seq) for row in rows.values()
        }
        for page in reply.buckets:
            if page.id in rows and self._instead(page, tally):
                continue
            effect = page_effect(page, followed.get(page.id))
            if effect is None:
                continue
            tally.gone += self._store.apply(page, effect)
            tally.put += len(effect.put)
            tally.progress |= effect.followed != followed[page.id]
            tally.progress |= effect.finish and not rows[page.id].complete
            if effect.finish:
                tally.unchecked.discard(page.id)

    def _instead(self, page: BucketPage, tally: Tally) -> bool:
        """Say whether a page asks for something else than to be applied, and note what."""
        if page.snapshot is not None:
            tally.offers[page.id] = page.snapshot
            tally.progress = True
            return True
        if not asks_to_compare(page) or not self._store.holds_any(page.id):
            return False
        if repair_step(self._store, page.id, tally):
            tally.progress = True
        else:
            tally.unchecked.discard(page.id)
        return True


def _takes(tally: Tally) -> tuple[str, ...]:
    return (Take.MANIFEST,) if tally.pages_only else (Take.MANIFEST, Take.SNAPSHOT)


def _reply_of(answer: Answer) -> SyncReply | Failure:
    if answer.status is None:
        return Failure(slug="no-reply")
    if answer.status != httpx.codes.OK:
        return Failure(slug=answer.problem, status=answer.status)
    try:
        return decode_reply(answer.value)
    except ProtocolError:
        return Failure(slug="unreadable-reply", status=answer.status)
