"""Calls that wait at the same moment share one transaction (group commit).

A call that finds nothing running begins at once and alone. What arrives while a group is being
worked on waits, and is the next group. So nobody waits for a group to fill, and the more there
is to do the fewer transactions, commits and statements it takes. A group that is slow, because
it waits for somebody's lock, does not stop the rest: another one may begin beside it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

CALLS_MAX: Final = 16
WEIGHT_MAX: Final = 400
WAITING_S: Final = 5.0
SLOW_S: Final = 0.2

Q = TypeVar("Q")
A = TypeVar("A")
Group = Callable[[Sequence[Q]], Awaitable[Sequence[A | Exception]]]


@dataclass(eq=False, slots=True, kw_only=True)
class _Waiting(Generic[Q, A]):
    """One call: what it asks, what it must not run beside, and where its answer goes."""

    question: Q
    apart: str | None
    weight: int
    answer: asyncio.Future[A]

    def tell(self, answer: A | Exception) -> None:
        """Give the answer, or raise it; a caller that has gone away misses nothing."""
        if self.answer.done():
            return
        if isinstance(answer, Exception):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)


class Together(Generic[Q, A]):
    """Puts waiting calls into groups and gives each of them its own answer.

    `run` works on one group and returns an answer for each question in order; an exception
    among them is raised for its caller alone. If `run` raises and the group was larger than
    one, each call is run by itself, so that none suffers from another one, unless `for_all`
    says that the failure has nothing to do with what was asked. `refusal` is raised for a call
    that was not begun within `waiting_s`. One group runs at a time, and for each that is slower
    than `slow_s` one more, at most `groups`.
    """

    def __init__(
        self,
        run: Group[Q, A],
        *,
        groups: int,
        for_all: Callable[[Exception], bool],
        refusal: Callable[[], Exception],
        waiting_s: float = WAITING_S,
        slow_s: float = SLOW_S,
    ) -> None:
        self._run = run
        self._groups = groups
        self._for_all = for_all
        self._refusal = refusal
        self._waiting_s = waiting_s
        self._slow_s = slow_s
        self._queue: list[_Waiting[Q, A]] = []
        self._inside: set[str | None] = set()
        self._working = 0
        self._slow = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, question: Q, *, apart: str | None = None, weight: int = 1) -> A:
        """Return the answer to `question`.

        Calls with the same `apart` are never in the same group, nor in two that run at once;
        those without one may be.
        A group weighs at most `WEIGHT_MAX`, if it is more than one call. Whoever is cancelled
        while waiting leaves the queue; once its group runs, it loses only the answer.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting[Q, A](
            question=question, apart=apart, weight=weight, answer=loop.create_future()
        )
        self._queue.append(waiting)
        self._begin()
        timer = loop.call_later(self._waiting_s, self._give_up, waiting)
        try:
            return await waiting.answer
        finally:
            timer.cancel()

    def _begin(self) -> None:
        """Begin to work on what waits, if another group may run."""
        if self._working < min(self._groups, 1 + self._slow):
            self._working += 1
            task = asyncio.get_running_loop().create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _give_up(self, waiting: _Waiting[Q, A]) -> None:
        """Refuse a call that still stands in the queue."""
        if waiting in self._queue:
            self._queue.remove(waiting)
            waiting.tell(self._refusal())

    async def _work(self) -> None:
        """Work on groups until nothing waits that may be begun."""
        try:
            while self._working <= 1 + self._slow and (group := self._next()):
                await self._watched(group)
        finally:
            # Here, not when the task is done: whoever asks in between must see that it ended.
            self._working -= 1

    async def _watched(self, group: Sequence[_Waiting[Q, A]]) -> None:
        """Work on a group, and let another one begin if it takes long."""
        slow = False

        def noticed() -> None:
            nonlocal slow
            slow = True
            self._slow += 1
            self._begin()

        timer = asyncio.get_running_loop().call_later(self._slow_s, noticed)
        try:
            await self._answered(group)
        finally:
            timer.cancel()
            self._slow -= slow
            self._inside.difference_update(each.apart for each in group)

    def _next(self) -> list[_Waiting[Q, A]]:
        """Take the next group from the queue, in order of arrival.

        The first that may be begun is always taken, so nobody is passed over for ever.
        """
        group: list[_Waiting[Q, A]] = []
        left: list[_Waiting[Q, A]] = []
        room = WEIGHT_MAX
        for each in self._queue:
            if each.answer.done():  # its caller was cancelled
                continue
            fits = not group or (len(group) < CALLS_MAX and each.weight <= room)
            if fits and (each.apart is None or each.apart not in self._inside):
                self._inside.add(each.apart)
                group.append(each)
                room -= each.weight
            else:
                left.append(each)
        self._queue = left
        return group

    async def _answered(self, group: Sequence[_Waiting[Q, A]]) -> None:
        try:
            answers: Sequence[Any] = await self._run([each.question for each in group])
        except Exception as error:  # noqa: BLE001 - it is raised where the question was asked
            if len(group) > 1 and not self._for_all(error):
                await asyncio.gather(*(self._answered([each]) for each in group))
                return
            answers = [error] * len(group)
        for each, answer in zip(group, answers, strict=True):
            each.tell(answer)
