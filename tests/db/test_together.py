"""Group commit: who shares a group, who answers for a failure, and what cancelling does."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.db.store import StoreBusy
from server.db.together import CALLS_MAX, WEIGHT_MAX, Together

pytestmark = pytest.mark.anyio


@dataclass(frozen=True, kw_only=True)
class Question:
    """A call of one device: `bad` fails every group it is in, `refused` itself alone."""

    number: int
    device: str
    weight: int = 1
    bad: bool = False
    refused: bool = False


class BadError(Exception):
    """What a bad question does to its group."""


class RefusedError(Exception):
    """What a refused question gets as its answer."""


@dataclass
class Desk:
    """Answers each question with its number, and remembers the groups it worked on."""

    groups: list[list[Question]] = field(default_factory=list)
    inside: list[Question] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    pause: Callable[[], asyncio.Future[None] | None] = lambda: None
    failure: Exception = field(default_factory=BadError)

    async def run(self, group: Sequence[Question]) -> list[int | Exception]:
        assert {each.device for each in group}.isdisjoint(each.device for each in self.inside)
        self.groups.append(list(group))
        self.inside += group
        self.begun.set()
        try:
            await (self.pause() or asyncio.sleep(0))
            if any(each.bad for each in group):
                raise self.failure
            return [RefusedError() if each.refused else each.number for each in group]
        finally:
            self.inside = [each for each in self.inside if each not in group]

    def together(self, groups: int = 1, **limits: float) -> Together[Question, int]:
        return Together(
            self.run,
            groups=groups,
            for_all=lambda error: isinstance(error, StoreBusy),
            refusal=lambda: StoreBusy("queue"),
            **limits,
        )


async def asked(calls: Together[Question, int], question: Question) -> int:
    return await calls.ask(question, apart=question.device, weight=question.weight)


def question(number: int, device: str | None = None, **members: object) -> Question:
    return Question(number=number, device=device or f"d{number}", **members)


questions = st.lists(
    st.builds(
        Question,
        number=st.integers(),
        device=st.sampled_from("abcdefghijklmnopqrstuvwxyz"),
        weight=st.integers(1, WEIGHT_MAX + 100),
        bad=st.booleans(),
        refused=st.booleans(),
    ),
    max_size=40,
)


@given(questions, st.integers(1, 3), st.data())
def test_everyone_gets_their_own_answer_whoever_else_is_bad_or_leaves(
    wanted: list[Question], groups: int, data: st.DataObject
) -> None:
    leaving = data.draw(st.sets(st.integers(0, max(len(wanted) - 1, 0))))
    desk = Desk()

    async def play() -> list[int | BaseException]:
        calls = desk.together(groups)
        tasks = [asyncio.create_task(asked(calls, each)) for each in wanted]
        await asyncio.sleep(0)
        for place in leaving & set(range(len(tasks))):
            tasks[place].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    for place, (each, answer) in enumerate(zip(wanted, asyncio.run(play()), strict=True)):
        if place in leaving:
            assert isinstance(answer, asyncio.CancelledError)
        elif each.bad:
            assert isinstance(answer, BadError)
        elif each.refused:
            assert isinstance(answer, RefusedError)
        else:
            assert answer == each.number
    for group in desk.groups:
        assert len(group) <= CALLS_MAX
        assert len(group) == 1 or sum(each.weight for each in group) <= WEIGHT_MAX
        assert len({each.device for each in group}) == len(group)
    assert desk.inside == []


async def test_what_arrives_while_a_group_runs_is_the_next_group() -> None:
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    desk = Desk(pause=lambda: gate)
    calls = desk.together()
    first = asyncio.create_task(asked(calls, question(0)))
    await desk.begun.wait()
    rest = [asyncio.create_task(asked(calls, question(n))) for n in range(1, 6)]
    await asyncio.sleep(0)
    gate.set_result(None)
    assert await asyncio.gather(first, *rest) == [0, 1, 2, 3, 4, 5]
    assert [[each.number for each in group] for group in desk.groups] == [[0], [1, 2, 3, 4, 5]]


async def test_two_calls_of_one_device_keep_their_order_and_share_no_group() -> None:
    desk = Desk()
    calls = desk.together(groups=2)
    wanted = [question(n, "same") for n in range(5)]
    assert await asyncio.gather(*(asked(calls, each) for each in wanted)) == [0, 1, 2, 3, 4]
    assert [[each.number for each in group] for group in desk.groups] == [[n] for n in range(5)]


async def test_a_failure_that_is_nobodys_fault_is_told_to_all_and_not_tried_again() -> None:
    desk = Desk(failure=StoreBusy("unreachable"))
    calls = desk.together()
    answers = await asyncio.gather(
        *(asked(calls, question(n, bad=n == 1)) for n in range(3)), return_exceptions=True
    )
    assert all(isinstance(each, StoreBusy) for each in answers)
    assert len(desk.groups) == 1


async def test_whoever_asks_the_moment_the_last_answer_comes_is_answered() -> None:
    desk = Desk()
    calls = desk.together()
    for n in range(3):
        assert await asked(calls, question(n, "same")) == n


async def test_who_is_not_begun_in_time_is_refused() -> None:
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    desk = Desk(pause=lambda: gate)
    calls = desk.together(waiting_s=0.01)
    first = asyncio.create_task(asked(calls, question(0)))
    await desk.begun.wait()
    with pytest.raises(StoreBusy):
        await asked(calls, question(1))
    gate.set_result(None)
    assert await first == 0  # it was begun, however long it took
    assert await asked(calls, question(2)) == 2
    assert [each.number for group in desk.groups for each in group] == [0, 2]


async def test_a_slow_group_lets_another_one_begin_and_no_more_than_allowed() -> None:
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    desk = Desk(pause=lambda: gate)
    calls = desk.together(groups=2, slow_s=0.01)
    tasks = []
    for n in range(3):
        tasks.append(asyncio.create_task(asked(calls, question(n))))
        await asyncio.sleep(0.05)
    assert [[each.number for each in group] for group in desk.groups] == [[0], [1]]
    gate.set_result(None)
    assert await asyncio.gather(*tasks) == [0, 1, 2]
    desk.pause = lambda: None
    assert await asyncio.gather(*(asked(calls, question(n)) for n in range(9))) == list(
        range(9)
    )
    assert len(desk.groups) == 4  # quick again: one group for all
