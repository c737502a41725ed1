"""What a store promises about transactions, whichever database stands behind it."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Connection

from server.db.together import Together

ATTEMPTS_MAX: Final = 4
_RETRY_PAUSE_S: Final = 0.005
_TOUCHED: Final = "jingwei.touched"
_LOG = logging.getLogger("jingwei.store")

_NOBODYS_FAULT: Final = frozenset({"pool", "full", "queue", "unreachable", "refused"})

T = TypeVar("T")
Q = TypeVar("Q")
A = TypeVar("A")
Work = Callable[[Connection], T]
GroupWork = Callable[[Connection, Sequence[Q]], Sequence[A | Exception]]
Listener = Callable[[frozenset[str]], None]


class StoreBusy(Exception):  # noqa: N818 - a state of the store, answered with 503
    """The store cannot do the work now; the same call may succeed later.

    `reason` is one word for the log and holds no data: `locked`, `pool`, `timeout`, `full`,
    `queue`, `contended`, `unreachable`, or `refused` (name, password or database are wrong).
    After a connection lost during COMMIT the work may have been stored: callers repeat it under
    the same identity.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the store is busy: {reason}")
        self.reason = reason


class RetryTransaction(Exception):  # noqa: N818 - asks for another attempt, is not a failure
    """Raised by work whose plan no longer holds: roll back and run it again."""


class LostRace(Exception):  # noqa: N818 - internal signal between a store and the retry loop
    """The transaction could not run beside another one; nothing was stored."""

    def __init__(self, reason: str = "contended") -> None:
        super().__init__(reason)
        self.reason = reason


class Store(ABC):
    """A database of either dialect. Safe for use from any number of tasks of one event loop."""

    dialect: str
    url: URL
    groups: int
    """How many groups of one kind may run at once in this process, if they are slow."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self._listeners: list[Listener] = []
        self._together: dict[Any, Together[Any, Any]] = {}

    async def write(self, work: Work[T], *, timeout_ms: int | None = None) -> T:
        """Run `work` in a read-write transaction, commit, and return what it returned.

        Runs it again after a serialization failure, a deadlock or `RetryTransaction`, at most
        `ATTEMPTS_MAX` times in all. `timeout_ms` replaces the time limit of one statement
        (jobs; PostgreSQL only).

        Raises:
            StoreBusy: if the database is locked, full, unreachable or too contended.
        """
        answer, touched = await _attempted(lambda: self._write_once(work, timeout_ms))
        if touched:
            self._tell(touched)
        return answer

    async def read(self, work: Work[T], *, timeout_ms: int | None = None) -> T:
        """Run `work` in a read-only transaction that sees one snapshot, and return its answer.

        Raises:
            StoreBusy: as for `write`.
        """
        return await _attempted(lambda: self._read_once(work, timeout_ms))

    async def ask(self, work: Work[T]) -> T:
        """Run `work`, which asks a question, without a transaction around it.

        One statement sees one snapshot anyway; on PostgreSQL this saves two round trips.
        Whoever asks more than one sees for himself whether the answers fit together.

        Raises:
            StoreBusy: as for `write`.
        """
        return await _attempted(lambda: self._ask_once(work))

    async def note(self, work: Work[T]) -> T:
        """Run `work`, which is exactly one statement that writes, and return its answer.

        It is stored when this returns; on PostgreSQL this saves two round trips. No
        listener is told.

        Raises:
            StoreBusy: as for `write`.
        """
        return await _attempted(lambda: self._note_once(work))

    async def write_together(
        self, work: GroupWork[Q, A], question: Q, *, apart: str | None = None, weight: int = 1
    ) -> A:
        """Run `work` for several callers that wait at once, in one transaction (`write`).

        `work` gets their questions and returns an answer for each of them, in order; an
        exception among the answers is raised for that caller alone and takes nothing back. If
        it raises itself, everything is taken back and each question is worked on by itself.
        `apart` and `weight` are as in `together.Together.ask`.

        Raises:
            StoreBusy: as for `write`, or if the call was not begun in time.
        """
        return await self._group(work).ask(question, apart=apart, weight=weight)

    def _group(self, work: GroupWork[Q, A]) -> Together[Q, A]:
        """The groups of `work`, each of them in one transaction."""
        known = self._together.get(work)
        if known is None:

            async def answers(questions: Sequence[Q]) -> Sequence[A | Exception]:
                return await self.write(partial(_worked, work, questions))

            known = self._together[work] = Together(
                answers,
                groups=self.groups,
                for_all=_is_nobodys_fault,
                refusal=partial(StoreBusy, "queue"),
            )
        return known

    def on_commit(self, listener: Listener) -> None:
        """Call `listener` with the buckets named by `touch`, after each commit that named any.

        It runs on the event loop and must not block; what it raises is logged and dropped,
        because the transaction is already stored.
        """
        self._listeners.append(listener)

    @abstractmethod
    async def scrub(self, *, whole: bool = False) -> None:
        """Overwrite what deleted and replaced rows left behind, as far as the database can.

        SQLite folds its log into the file, where freed bytes are overwritten. PostgreSQL does
        nothing until `whole` asks it to write its tables anew, which locks them for a while.
        """

    @abstractmethod
    async def close(self) -> None:
        """Finish running work and close all connections."""

    @abstractmethod
    async def _write_once(
        self, work: Work[T], timeout_ms: int | None
    ) -> tuple[T, frozenset[str]]: ...

    @abstractmethod
    async def _read_once(self, work: Work[T], timeout_ms: int | None) -> T: ...

    async def _ask_once(self, work: Work[T]) -> T:
        return await self._read_once(work, None)

    async def _note_once(self, work: Work[T]) -> T:
        answer, _ = await self._write_once(work, None)
        return answer

    def _tell(self, touched: frozenset[str]) -> None:
        for listener in self._listeners:
            try:
                listener(touched)
            except Exception:  # noqa: BLE001 - stored already; a lost wake-up costs time
                _LOG.exception("a commit listener failed")


def _worked(
    work: GroupWork[Q, A], questions: Sequence[Q], db: Connection
) -> Sequence[A | Exception]:
    return work(db, questions)


def _is_nobodys_fault(error: Exception) -> bool:
    """Say whether a failure has nothing to do with what a group wanted."""
    return isinstance(error, StoreBusy) and error.reason in _NOBODYS_FAULT


async def _attempted(once: Callable[[], Awaitable[T]]) -> T:
    """Run `once` until it does not lose a race, with growing pauses, `ATTEMPTS_MAX` times."""
    reason = "contended"
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            return await once()
        except RetryTransaction:
            reason = "contended"
        except LostRace as lost:
            reason = lost.reason
        if attempt < ATTEMPTS_MAX:
            await asyncio.sleep(_RETRY_PAUSE_S * 2**attempt)
    raise StoreBusy(reason)


def touch(db: Connection, buckets: Iterable[str]) -> None:
    """Note that this transaction changed `buckets`; listeners hear of it after COMMIT."""
    db.info.setdefault(_TOUCHED, set()).update(buckets)


def touched_by(db: Connection) -> frozenset[str]:
    """Take and forget what `touch` noted on this connection."""
    return frozenset(db.info.pop(_TOUCHED, ()))
