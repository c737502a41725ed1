"""What a phone keeps, in one SQLite file: its identity, replica, cursors and outbox.

Everything a reply changes is written in one transaction (`Store.transaction`), so a phone that
loses power holds either all of a reply or nothing of it.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clients.phone.forgetting import forget_said_of
from clients.phone.photos import Photos
from clients.phone.pieces import Downloaded
from clients.phone.schema import STEPS
from sync.canonical import EMPTY_DIGEST
from sync.exchange import BucketPage, WireOutcome
from sync.manifest import BucketState
from sync.outcome import Outcome
from sync.replica import Held, PageEffect
from sync.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketRow:
    """One followed bucket: cursor, the server's last word on its digest, and completeness."""

    id: str
    epoch: int
    seq: int
    digest: str
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """One mutation of the outbox as stored."""

    n: int
    record: str
    kind: str
    body: bytes
    creates: bool


class Store:
    """The phone's file. Not shared between threads or processes: one phone, one owner."""

    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA secure_delete = ON")
        known = self._db.execute("PRAGMA user_version").fetchone()[0]
        for version, step in enumerate(STEPS[known:], start=known + 1):
            self._db.executescript(f"BEGIN;{step};PRAGMA user_version = {version};COMMIT;")
        self.photos = Photos(self._db)

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything written inside all or nothing, and durable at the end."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    # settings

    def setting(self, name: str) -> str | None:
        """Return a setting, or None."""
        row = self._db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def keep_setting(self, name: str, value: str | float | None) -> None:
        """Store a setting; None removes it."""
        if value is None:
            self._db.execute("DELETE FROM setting WHERE name = ?", (name,))
            return
        self._db.execute(
            "INSERT INTO setting (name, value) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, str(value)),
        )

    # buckets and records

    def buckets(self) -> list[BucketRow]:
        """Return every followed bucket, by id."""
        rows = self._db.execute(
            "SELECT id, epoch, seq, digest, complete FROM bucket ORDER BY id"
        )
        return [
            BucketRow(id=row[0], epoch=row[1], seq=row[2], digest=row[3], complete=bool(row[4]))
            for row in rows
        ]

    def follow(self, buckets: Iterable[str]) -> None:
        """Start following buckets; one that is followed already keeps its cursor."""
        self._db.executemany(
            "INSERT INTO bucket (id, digest) VALUES (?, ?) ON CONFLICT (id) DO NOTHING",
            [(bucket, EMPTY_DIGEST) for bucket in buckets],
        )

    def purge(self, buckets: Iterable[str]) -> int:
        """Stop following buckets and forget their records; return how many those were."""
        ids = [(bucket,) for bucket in buckets]
        self._db.executemany("DELETE FROM bucket WHERE id = ?", ids)
        self._db.executemany("DELETE FROM piece WHERE bucket = ?", ids)
        return self._db.executemany("DELETE FROM record WHERE bucket = ?", ids).rowcount

    def rewind(self, bucket: str | None = None) -> None:
        """Go back to the start of one bucket, or of all; what is held stays until compared."""
        self._db.execute(
            "UPDATE bucket SET epoch = 0, seq = 0, complete = 0 WHERE ? IS NULL OR id = ?",
            (bucket, bucket),
        )

    def apply(self, page: BucketPage, effect: PageEffect) -> int:
        """Store what a page changes, in the order `PageEffect` tells; return how many went."""
        if effect.restart:
            self._db.execute("UPDATE record SET seen = 0 WHERE bucket = ?", (page.id,))
        self._put(effect.put)
        gone = self._db.executemany(
            "DELETE FROM record WHERE id = ? AND bucket = ?",
            [(record, page.id) for record in effect.gone],
        ).rowcount
        if effect.finish:
            gone += self._db.execute(
                "DELETE FROM record WHERE bucket = ? AND seen = 0", (page.id,)
            ).rowcount
        self._db.execute(
            "UPDATE bucket SET epoch = ?, seq = ?, digest = ?, complete = ? WHERE id = ?",
            (page.epoch, page.seq, page.digest, effect.finish, page.id),
        )
        return max(gone, 0)

    def _put(self, put: Iterable[Held]) -> None:
        self._db.executemany(
            "INSERT INTO record (id, bucket, kind, rev, hash, body) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET bucket = excluded.bucket, kind = excluded.kind,"
            " rev = excluded.rev, hash = excluded.hash, body = excluded.body, seen = 1",
            [(h.record, h.bucket, h.kind, h.rev, h.hash, h.body) for h in put],
        )

    def repair(
        self, bucket: str, *, drop: Sequence[str], put: Sequence[Held], state: BucketState
    ) -> None:
        """Store what a comparison found; the bucket is followed from where it was listed."""
        self._db.executemany(
            "DELETE FROM record WHERE id = ? AND bucket = ?",
            [(record, bucket) for record in drop],
        )
        self._put(put)
        self._db.execute("UPDATE record SET seen = 1 WHERE bucket = ?", (bucket,))
        self._db.execute(
            "UPDATE bucket SET epoch = ?, seq = ?, digest = ?, complete = 0 WHERE id = ?",
            (state.epoch, state.seq, state.digest, bucket),
        )

    def apply_snapshot(self, snapshot: Snapshot) -> int:
        """Replace a bucket by a snapshot and drop its pieces; return how many records went."""
        gone = self.apply(snapshot.page, snapshot.effect)
        bucket = (snapshot.page.id,)
        self._db.execute("UPDATE bucket SET complete = 0 WHERE id = ?", bucket)
        self._db.execute("DELETE FROM piece WHERE bucket = ?", bucket)
        return gone

    # downloads

    def download_path(self, bucket: str) -> str | None:
        """Return the path of a download that was begun, or None."""
        row = self._db.execute(
            "SELECT path FROM piece WHERE bucket = ? ORDER BY at LIMIT 1", (bucket,)
        ).fetchone()
        return None if row is None else str(row[0])

    def downloaded(self, bucket: str) -> Downloaded:
        """Return how much of a download is here, and of which version of the file."""
        row = self._db.execute(
            "SELECT coalesce(sum(length(body)), 0), coalesce(max(etag), '') FROM piece"
            " WHERE bucket = ?",
            (bucket,),
        ).fetchone()
        return Downloaded(size=row[0], etag=row[1])

    def downloaded_bytes(self, bucket: str) -> bytes:
        """Return what is here of a download."""
        rows = self._db.execute(
            "SELECT body FROM piece WHERE bucket = ? ORDER BY at", (bucket,)
        )
        return b"".join(row[0] for row in rows)

    def keep_piece(self, bucket: str, at: int, *, path: str, etag: str, body: bytes) -> None:
        """Store bytes of a download as they arrive."""
        self._db.execute(
            "INSERT INTO piece (bucket, at, path, etag, body) VALUES (?, ?, ?, ?, ?)",
            (bucket, at, path, etag, body),
        )

    def drop_download(self, bucket: str) -> None:
        """Forget a download."""
        self._db.execute("DELETE FROM piece WHERE bucket = ?", (bucket,))

    def held(self, record: str) -> Held | None:
        """Return a record of the replica."""
        rows = self._db.execute(
            "SELECT id, bucket, kind, rev, hash, body FROM record WHERE id = ?", (record,)
        )
        return next((_held(row) for row in rows), None)

    def held_of_kind(self, kind: str | None) -> list[Held]:
        """Return the replica's records of a kind, or all of them, by id."""
        rows = self._db.execute(
            "SELECT id, bucket, kind, rev, hash, body FROM record"
            " WHERE ? IS NULL OR kind = ? ORDER BY id",
            (kind, kind),
        )
        return [_held(row) for row in rows]

    def bodies(self, bucket: str) -> list[bytes]:
        """Return the stored bytes of every record in a bucket, by id."""
        rows = self._db.execute(
            "SELECT body FROM record WHERE bucket = ? ORDER BY id", (bucket,)
        )
        return [row[0] for row in rows]

    def bodies_by_id(self, bucket: str) -> list[tuple[str, bytes]]:
        """Return id and stored bytes of every record in a bucket, by id."""
        rows = self._db.execute(
            "SELECT id, body FROM record WHERE bucket = ? ORDER BY id", (bucket,)
        )
        return [(row[0], row[1]) for row in rows]

    def holds_any(self, bucket: str) -> bool:
        """Say whether anything of a bucket is held."""
        row = self._db.execute("SELECT 1 FROM record WHERE bucket = ? LIMIT 1", (bucket,))
        return row.fetchone() is not None

    def hashes(self, bucket: str) -> list[str]:
        """Return the hash of every record in a bucket as it was stored, by id."""
        rows = self._db.execute(
            "SELECT hash FROM record WHERE bucket = ? ORDER BY id", (bucket,)
        )
        return [row[0] for row in rows]

    def mark_complete(self, buckets: Iterable[str]) -> None:
        """Remember that the server has nothing more of these buckets."""
        self._db.executemany(
            "UPDATE bucket SET complete = 1 WHERE id = ?", [(bucket,) for bucket in buckets]
        )

    # outbox

    def add(self, row: OutboxRow) -> None:
        """Put a mutation into the outbox."""
        self._db.execute(
            "INSERT INTO mutation (n, record, kind, body, creates) VALUES (?, ?, ?, ?, ?)",
            (row.n, row.record, row.kind, row.body, row.creates),
        )

    def waiting(self, *, limit: int = -1) -> list[OutboxRow]:
        """Return mutations whose outcome is not final, in n order."""
        return self._outbox("outcome IS NULL ORDER BY n LIMIT ?", limit)

    def overlay(self, record: str) -> list[OutboxRow]:
        """Return the mutations of a record whose effect has not arrived, in n order."""
        return self._outbox("record = ? AND overlay = 1 ORDER BY n", record)

    def records_created_here(self, kind: str | None) -> list[str]:
        """Return records made on this phone that the server has not sent back, by id."""
        rows = self._db.execute(
            "SELECT DISTINCT record FROM mutation WHERE creates = 1 AND overlay = 1"
            " AND (? IS NULL OR kind = ?) ORDER BY record",
            (kind, kind),
        )
        return [row[0] for row in rows]

    def mark_sent(self, ns: Sequence[int]) -> None:
        """Remember that these were given to the network; their bodies never change again."""
        self._db.executemany("UPDATE mutation SET sent = 1 WHERE n = ?", [(n,) for n in ns])

    def settle(self, outcomes: Iterable[WireOutcome], *, settled_ms: int) -> None:
        """Store final outcomes."""
        self._db.executemany(
            "UPDATE mutation SET outcome = ?, code = ?, detail = ?, rev = ?, settled_ms = ?"
            " WHERE n = ? AND outcome IS NULL",
            [(o.outcome, o.code, o.detail, o.rev, settled_ms, o.n) for o in outcomes],
        )

    def settled(self) -> list[int]:
        """Return every n that is kept as settled, in order."""
        rows = self._db.execute("SELECT n FROM mutation WHERE outcome IS NOT NULL ORDER BY n")
        return [row[0] for row in rows]

    def offer_again(self, ns: Iterable[int]) -> None:
        """Put settled mutations back among the waiting."""
        self._db.executemany(
            "UPDATE mutation SET outcome = NULL, code = NULL, detail = NULL, rev = NULL,"
            " settled_ms = NULL, overlay = 1 WHERE n = ?",
            [(n,) for n in ns],
        )

    def ask_about(self, outcomes: Iterable[Outcome]) -> None:
        """Put what ended in one of `outcomes` back among the waiting, as far as it is kept."""
        self._db.execute(
            "UPDATE mutation SET outcome = NULL, code = NULL, detail = NULL, rev = NULL,"
            " settled_ms = NULL WHERE outcome IN (SELECT value FROM json_each(?))",
            (json.dumps(list(outcomes)),),
        )

    def lift_overlay(self) -> None:
        """Stop laying settled mutations over the replica: their effects have arrived."""
        self._db.execute("UPDATE mutation SET overlay = 0 WHERE outcome IS NOT NULL")

    def forget_settled(self, *, before_ms: int) -> None:
        """Drop settled mutations that ended before `before_ms`, of earlier identities too."""
        self._db.execute("DELETE FROM mutation WHERE settled_ms < ?", (before_ms,))
        self._db.execute("DELETE FROM former WHERE settled_ms < ?", (before_ms,))

    def outcomes(self) -> list[WireOutcome]:
        """Return the outcomes kept, in n order."""
        rows = self._db.execute(
            "SELECT n, outcome, record, rev, code, detail FROM mutation"
            " WHERE outcome IS NOT NULL ORDER BY n"
        )
        return [
            WireOutcome(
                n=row[0],
                outcome=Outcome(row[1]),
                record=row[2],
                rev=row[3],
                code=row[4],
                detail=row[5],
            )
            for row in rows
        ]

    def forget_said_of(self, erased: Iterable[str]) -> None:
        """Overwrite what settled mutations say of erased records."""
        forget_said_of(self._db, frozenset(erased))

    def scrub(self) -> None:
        """Fold the log into the file, where freed bytes are overwritten, and empty it."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def take_outbox(self, codes: Iterable[str], *, settled_too: bool) -> list[OutboxRow]:
        """Empty the outbox and return what a new identity must send, in n order.

        That is whatever waits and whatever was set aside with one of `codes`, or everything.
        What is not returned was settled; it is kept as an earlier identity's.
        """
        taken = "(outcome IS NULL OR ? OR code IN (SELECT value FROM json_each(?)))"
        values = settled_too, json.dumps(list(codes))
        rows = self._outbox(f"{taken} ORDER BY n", *values)
        self._db.execute(
            "INSERT INTO former (record, kind, body, creates, settled_ms)"  # noqa: S608 - constant text
            " SELECT record, kind, body, creates, settled_ms FROM mutation"
            f" WHERE NOT coalesce({taken}, 0) ORDER BY n",
            values,
        )
        self._db.execute("DELETE FROM mutation")
        return rows

    def has_former(self) -> bool:
        """Say whether anything is kept that an earlier identity had settled."""
        return self._db.execute("SELECT 1 FROM former LIMIT 1").fetchone() is not None

    def take_former(self) -> list[OutboxRow]:
        """Forget and return what earlier identities had settled, in order; `n` is no number."""
        rows = self._outbox_rows(
            "SELECT id, record, kind, body, creates FROM former ORDER BY id", ()
        )
        self._db.execute("DELETE FROM former")
        return rows

    def _outbox(self, condition: str, *values: str | int) -> list[OutboxRow]:
        return self._outbox_rows(
            f"SELECT n, record, kind, body, creates FROM mutation WHERE {condition}",  # noqa: S608 - constant text
            values,
        )

    def _outbox_rows(self, statement: str, values: Sequence[str | int]) -> list[OutboxRow]:
        rows = self._db.execute(statement, values)
        return [
            OutboxRow(n=row[0], record=row[1], kind=row[2], body=row[3], creates=bool(row[4]))
            for row in rows
        ]


def _held(row: tuple[str, str, str, int, str, bytes]) -> Held:
    return Held(record=row[0], bucket=row[1], kind=row[2], rev=row[3], hash=row[4], body=row[5])
