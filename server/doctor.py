"""Examinations of a store: there, up to date, safe, intact, and true to its own records."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, text

from server.breakglass.queries import unreviewed
from server.clock import now_ms
from server.db.geopackage import APPLICATION_ID
from server.db.postgres_store import UnsafeStore, unsafe_settings
from server.db.reach import is_bound, unwalled
from server.db.store import Store, StoreBusy, open_store
from server.identity.queries import overfull
from server.migrations import is_current
from server.notify import open_wakeups
from server.replication.differences import Difference
from server.replication.rebuild import JOB_MS, Rebuilt, Told, rebuild
from server.replication.refold import refold
from server.replication.reproject import compare
from server.settings import Settings
from sync.exchange import GRIDS_MAX

SHOWN_MAX = 20
LISTED_MAX = 1_000
REDIS_WAIT_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one examination; `detail` names things, never personal values."""

    name: str
    ok: bool
    detail: str


def schema_finding(db: Connection) -> Finding:
    """Say whether the schema is the newest."""
    if is_current(db):
        return Finding(name="schema", ok=True, detail="up to date")
    return Finding(name="schema", ok=False, detail="not up to date; run: jingwei migrate")


def safety_finding(db: Connection) -> Finding:
    """Say whether acknowledged work survives a crash of the database."""
    off = unsafe_settings(db)
    if off:
        return Finding(name="durability", ok=False, detail=f"these are off: {', '.join(off)}")
    return Finding(name="durability", ok=True, detail="commits are durable")


def wall_finding(db: Connection) -> Finding:
    """Say whether row security guards people's tables, and binds the role of this program.

    A role that it does not bind is a warning, not a fault: the scoped selects still hold.
    """
    if db.dialect.name != "postgresql":
        return Finding(name="row security", ok=True, detail="SQLite has none")
    open_tables = unwalled(db)
    if open_tables:
        return Finding(name="row security", ok=False, detail=f"off: {', '.join(open_tables)}")
    if not is_bound(db):
        detail = "WARNING: does not bind a superuser or a role with BYPASSRLS; use a plain role"
        return Finding(name="row security", ok=True, detail=detail)
    return Finding(name="row security", ok=True, detail="guards people's tables")


def file_findings(db: Connection) -> list[Finding]:
    """Say whether an embedded store is an intact GeoPackage; nothing about PostgreSQL."""
    if db.dialect.name != "sqlite":
        return []
    intact = str(db.execute(text("PRAGMA integrity_check(1)")).scalar_one())
    orphans = len(db.execute(text("PRAGMA foreign_key_check")).all())
    application = db.execute(text("PRAGMA application_id")).scalar_one()
    missing = _tables_without_geometry(db)
    is_package = application == APPLICATION_ID and not missing
    return [
        Finding(name="file", ok=intact == "ok", detail=intact[:200]),
        Finding(
            name="references", ok=not orphans, detail=f"{orphans} rows without their parent"
        ),
        Finding(
            name="geopackage",
            ok=is_package,
            detail="valid" if is_package else f"not registered: {', '.join(missing) or 'file'}",
        ),
    ]


def _tables_without_geometry(db: Connection) -> list[str]:
    statement = text(
        "SELECT table_name FROM gpkg_contents WHERE data_type = 'features'"
        " AND table_name NOT IN (SELECT table_name FROM gpkg_geometry_columns)"
        " ORDER BY table_name"
    )
    return [str(name) for name in db.execute(statement).scalars()]


def holdings_finding(db: Connection, now_ms: int) -> Finding:
    """Say whether some worker holds more grids than a phone can, because an area grew."""
    found = overfull(db, now_ms)
    if not found:
        return Finding(name="workers", ok=True, detail="every worker's grids fit on a phone")
    shown = ", ".join(
        f"account {each['account']} ({each['grids']})" for each in found[:SHOWN_MAX]
    )
    return Finding(name="workers", ok=False, detail=f"more than {GRIDS_MAX} grids: {shown}")


def glass_finding(db: Connection, now_ms: int) -> Finding:
    """Say whether somebody broke the glass and nobody has reviewed it."""
    found = unreviewed(db, now_ms, limit=LISTED_MAX)
    if not found:
        return Finding(name="break-glass", ok=True, detail="nothing waits for a review")
    shown = ", ".join(found[:SHOWN_MAX])
    return Finding(name="break-glass", ok=False, detail=f"{len(found)} not reviewed: {shown}")


def derived_finding(db: Connection) -> Finding:
    """Derive every body, digest and projection again and compare."""
    return _comparison("derived values", compare(db), "all follow from the truth")


def history_finding(db: Connection) -> Finding:
    """Fold the whole mutation log again and compare what it makes with what is stored."""
    return _comparison("history", refold(db), "all follow from the log")


def _comparison(name: str, differences: Iterable[Difference], none: str) -> Finding:
    found = list(differences)
    return Finding(name=name, ok=not found, detail=_shown(found) if found else none)


def _shown(found: list[Difference]) -> str:
    shown = "; ".join(_line(each) for each in found[:SHOWN_MAX])
    return f"{len(found)} differences: {shown}"


def _line(found: Difference) -> str:
    return f"{found.kind} {found.record}: {found.what}"


def _silent(_: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thorough:
    """Examinations that read the whole store.

    `reproject` derives every body, digest and projection again from the records, `refold` every
    record from the mutation log. `rebuild` says what it would write to make them so, and with
    `apply` does it. `told` hears lines about its progress.
    """

    reproject: bool = False
    refold: bool = False
    rebuild: bool = False
    apply: bool = False
    told: Told = _silent


async def rebuild_finding(store: Store, settings: Settings, thorough: Thorough) -> Finding:
    """Rebuild what does not follow, or count it; phones that wait for a change are woken."""
    wakeups = open_wakeups(settings.redis_url, deployment=settings.deployment)
    await wakeups.start()
    store.on_commit(wakeups.tell)
    try:
        done = await rebuild(
            store,
            apply=thorough.apply,
            refold=thorough.refold,
            told=thorough.told,
            now_ms=now_ms(),
        )
        await wakeups.flush(REDIS_WAIT_S)
    finally:
        await wakeups.close()
    for each in done.found[:LISTED_MAX]:
        thorough.told(_line(each))
    return Finding(
        name="rebuild", ok=not done.left, detail=_rebuilt(done, applied=thorough.apply)
    )


def _rebuilt(done: Rebuilt, *, applied: bool) -> str:
    if not done.found:
        return "nothing to rebuild"
    counted = Counter(f"{each.kind} {each.what}" for each in done.found)
    counts = ", ".join(f"{number} {name}" for name, number in sorted(counted.items()))
    if not applied:
        return f"would rebuild {counts}"
    left = f"; left {_shown(list(done.left))}" if done.left else ""
    return f"rebuilt {counts}{left}"


async def examine(url: str, settings: Settings, thorough: Thorough) -> list[Finding]:
    """Return all findings about the store at `url`, and about Redis if it is configured."""
    store = open_store(url, allow_unsafe=True)
    try:
        found = await _store_findings(store, settings, thorough)
    except StoreBusy as busy:
        found = [Finding(name="database", ok=False, detail=f"not available ({busy.reason})")]
    except UnsafeStore as unsafe:
        found = [Finding(name="durability", ok=False, detail=", ".join(unsafe.settings))]
    finally:
        await store.close()
    return found + await _redis_findings(settings)


async def _store_findings(
    store: Store, settings: Settings, thorough: Thorough
) -> list[Finding]:
    schema = await store.read(schema_finding)
    found = [schema]
    if not schema.ok:
        return found
    if thorough.rebuild:
        found.append(await rebuild_finding(store, settings, thorough))
    found.append(await store.read(safety_finding))
    found.append(await store.read(wall_finding))
    found += await store.read(file_findings, timeout_ms=JOB_MS)
    found.append(await store.read(lambda db: holdings_finding(db, now_ms())))
    found.append(await store.read(lambda db: glass_finding(db, now_ms())))
    if thorough.reproject:
        found.append(await store.read(derived_finding, timeout_ms=JOB_MS))
    if thorough.refold:
        found.append(await store.read(history_finding, timeout_ms=JOB_MS))
    return found


async def _redis_findings(settings: Settings) -> list[Finding]:
    if not settings.redis_url:
        return [Finding(name="redis", ok=True, detail="not used")]
    wakeups = open_wakeups(settings.redis_url, deployment=settings.deployment)
    await wakeups.start()
    try:
        there = await _soon(lambda: wakeups.connected)
    finally:
        await wakeups.close()
    return [Finding(name="redis", ok=there, detail="connected" if there else "does not answer")]


async def _soon(true: Callable[[], bool]) -> bool:
    for _ in range(20):
        if true():
            return True
        await asyncio.sleep(REDIS_WAIT_S / 20)
    return true()
