"""`jingwei maintain`: what has to be done now and then, safe to repeat."""

from dataclasses import dataclass

from server.accesslog.queries import forget_before
from server.breakglass.queries import forget_reviewed
from server.clock import now_ms
from server.consents.clearing import clear_withdrawn
from server.db.store import Store, open_store
from server.identifiers import queries
from server.identifiers.destroying import Destroyed, destroy_doomed
from server.registers.queries import drop_expired
from server.replication import snapshots
from server.replication.leaving import Days, leave_by_date
from server.replication.readable import release_readable
from server.replication.upkeep import forget_exits, release_left_behind
from server.sealed.sealing import open_sealing, vault_of
from server.settings import Settings
from server.subjects.queries import drop_expired_copies, forget_closed

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be done; with `dry_run` it is only counted.

    `rewrite` writes the tables anew, so that no byte of what was erased is left in their files.
    """

    tombstone_days: int
    dry_run: bool
    access_days: int
    rewrite: bool = False


async def maintain(url: str, settings: Settings, wanted: Wanted) -> list[str]:
    """Do everything once and return a line about each piece of work."""
    store = open_store(url, allow_unsafe=settings.allow_unsafe)
    now = now_ms()
    try:
        forgotten = await forget_exits(
            store, before_ms=now - wanted.tombstone_days * DAY_MS, dry_run=wanted.dry_run
        )
        left = await leave_by_date(
            store,
            Days(casework=settings.casework_days, visits=settings.visit_days),
            now_ms=now,
            dry_run=wanted.dry_run,
        )
        missed = await release_left_behind(store, now_ms=now, dry_run=wanted.dry_run)
        old = await store.write(
            lambda db: snapshots.forget_old(
                db, before_ms=now - snapshots.KEPT_DAYS * DAY_MS, dry_run=wanted.dry_run
            )
        )
        readable = await release_readable(store, now_ms=now, dry_run=wanted.dry_run)
        numbers, keys = await _numbers(store, settings, now, dry_run=wanted.dry_run)
        unknown = await store.write(
            lambda db: forget_before(
                db, before_ms=now - wanted.access_days * DAY_MS, dry_run=wanted.dry_run
            )
        )
        broken = await store.write(
            lambda db: forget_reviewed(
                db, before_ms=now - wanted.access_days * DAY_MS, dry_run=wanted.dry_run
            )
        )
        people = await _of_people(store, settings, wanted, now)
        if not wanted.dry_run:
            await store.scrub(whole=wanted.rewrite)
    finally:
        await store.close()
    return [
        f"what left long ago: {forgotten.exits} forgotten in {forgotten.buckets} buckets",
        f"what was over long ago: {left.records} left phones, of {len(left.buckets)} buckets",
        f"work that waited for a record that is here: {missed} released",
        f"snapshots made long ago: {old} dropped",
        f"reads of personal data long ago: {unknown} forgotten",
        f"broken glass reviewed long ago: {broken} forgotten",
        f"work of newer apps that can be read now: {readable} released",
        f"identity numbers that expired: {numbers} destroyed",
        f"data keys: {keys.keys} destroyed, {keys.left} left",
        *people,
    ]


async def _numbers(
    store: Store, settings: Settings, now: int, *, dry_run: bool
) -> tuple[int, Destroyed]:
    """Destroy what expired and every doomed key, or count what expired."""
    if dry_run:
        return await store.read(lambda db: queries.expired(db, now_ms=now)), Destroyed()
    gone = await store.write(lambda db: queries.forget_expired(db, now_ms=now))
    sealing = open_sealing(settings)
    return gone, await destroy_doomed(store, vault_of(settings), sealing)


async def _of_people(store: Store, settings: Settings, wanted: Wanted, now: int) -> list[str]:
    """End copies and registers, closed requests, and what consent was taken back for."""
    dry_run = wanted.dry_run
    closed_ms = now - settings.proof_days * DAY_MS
    copies = await store.write(lambda db: drop_expired_copies(db, now_ms=now, dry_run=dry_run))
    closed = await store.write(
        lambda db: forget_closed(db, before_ms=closed_ms, dry_run=dry_run)
    )
    registers = await store.write(lambda db: drop_expired(db, now_ms=now, dry_run=dry_run))
    cleared = await clear_withdrawn(store, before_ms=now, now_ms=now, dry_run=dry_run)
    return [
        f"copies for people that expired: {copies} destroyed",
        f"requests of people closed long ago: {closed} forgotten",
        f"registers that expired: {registers} destroyed",
        f"fields whose consent was taken back: {cleared} cleared",
    ]
