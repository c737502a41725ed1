"""Places and the queue in front of them: who goes first, who is refused, and none gets lost."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.admission import Admission, Rank
from server.problems import ServiceUnavailable

pytestmark = pytest.mark.anyio


class Crowd:
    """Requests that hold a place until they are told to leave."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.inside: list[str] = []
        self.entered: list[str] = []
        self.refused: list[str] = []
        self._leave: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, name: str, rank: Rank) -> None:
        self._leave[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._stay(name, rank))
        await asyncio.sleep(0)

    async def leave(self, name: str) -> None:
        self._leave[name].set()
        await self._tasks[name]
        await asyncio.sleep(0)

    async def give_up(self, name: str) -> None:
        self._tasks[name].cancel()
        with suppress(asyncio.CancelledError):
            await self._tasks[name]

    async def leave_first(self) -> None:
        if self.inside:
            await self.leave(self.inside[0])

    async def last_gives_up(self) -> None:
        there = [name for name, task in self._tasks.items() if not task.done()]
        if there:
            await self.give_up(there[-1])

    async def _stay(self, name: str, rank: Rank) -> None:
        try:
            async with self.admission.place(rank):
                self.entered.append(name)
                self.inside.append(name)
                try:
                    await self._leave[name].wait()
                finally:
                    self.inside.remove(name)
        except ServiceUnavailable:
            self.refused.append(name)


def crowd(*, places: int = 1, waiting: int = 2, waiting_s: float = 5) -> Crowd:
    return Crowd(Admission(places=places, waiting=waiting, waiting_s=waiting_s))


STEPS = st.lists(
    st.tuples(st.sampled_from(["come", "leave", "give up"]), st.sampled_from(list(Rank))),
    max_size=40,
)


@given(steps=STEPS, places=st.integers(1, 3), waiting=st.integers(0, 3))
def test_places_are_never_exceeded_and_never_lost(
    steps: list[tuple[str, Rank]], places: int, waiting: int
) -> None:
    asyncio.run(_play(crowd(places=places, waiting=waiting), steps, places))


async def _play(people: Crowd, steps: list[tuple[str, Rank]], places: int) -> None:
    for number, (step, rank) in enumerate(steps):
        if step == "come":
            await people.come(f"{number}", rank)
        elif step == "leave":
            await people.leave_first()
        else:
            await people.last_gives_up()
        assert len(people.inside) <= places
        assert 0 <= people.admission.load <= 1
    for _ in steps:
        await people.leave_first()
    assert people.admission.load == 0
    for number in range(places):
        await people.come(f"again {number}", Rank.CONSOLE)
    assert len(people.inside) == places
    for _ in range(places):
        await people.leave_first()


async def test_field_work_goes_before_consoles_that_came_earlier() -> None:
    people = crowd(waiting=3)
    for name, rank in (
        ("first", Rank.CONSOLE),
        ("console", Rank.CONSOLE),
        ("pull", Rank.PULL),
        ("upload", Rank.UPLOAD),
    ):
        await people.come(name, rank)
    for name in ("first", "upload", "pull", "console"):
        await people.leave(name)
    assert people.entered == ["first", "upload", "pull", "console"]


async def test_equals_are_served_in_order_of_arrival() -> None:
    people = crowd(waiting=5)
    for name in "abcde":
        await people.come(name, Rank.UPLOAD)
    for name in "abcde":
        await people.leave(name)
    assert people.entered == list("abcde")


async def test_an_upload_displaces_the_last_console_of_a_full_queue() -> None:
    people = crowd(waiting=2)
    for name in ("inside", "one", "two"):
        await people.come(name, Rank.CONSOLE)
    await people.come("upload", Rank.UPLOAD)
    await asyncio.sleep(0)
    assert people.refused == ["two"]
    await people.leave("inside")
    assert people.inside == ["upload"]
    for name in ("upload", "one"):
        await people.leave(name)


async def test_nobody_displaces_an_equal() -> None:
    people = crowd(waiting=1)
    for name in ("inside", "waits", "late"):
        await people.come(name, Rank.UPLOAD)
    assert people.refused == ["late"]
    with pytest.raises(ServiceUnavailable):
        people.admission.check(Rank.UPLOAD)
    for name in ("inside", "waits"):
        await people.leave(name)


async def test_who_waits_too_long_is_refused_and_the_place_stays_usable() -> None:
    people = crowd(waiting_s=0.02)
    await people.come("inside", Rank.UPLOAD)
    await people.come("waits", Rank.UPLOAD)
    await asyncio.sleep(0.06)
    assert people.refused == ["waits"]
    await people.leave("inside")
    await people.come("next", Rank.CONSOLE)
    assert people.inside == ["next"]
    await people.leave("next")


async def test_a_place_given_to_one_who_just_hung_up_goes_to_the_next() -> None:
    people = crowd()
    for name in ("inside", "hangs up", "next"):
        await people.come(name, Rank.PULL)
    people._leave["inside"].set()
    await people._tasks["inside"]
    await people.give_up("hangs up")
    await asyncio.sleep(0)
    assert people.inside == ["next"]
    await people.leave("next")


async def test_load_is_the_share_of_places_and_queue_in_use() -> None:
    people = crowd(places=2, waiting=2)
    seen = [people.admission.load]
    for name in "abcd":
        await people.come(name, Rank.PULL)
        seen.append(people.admission.load)
    assert seen == [0, 0.25, 0.5, 0.75, 1]
    for name in "abcd":
        await people.leave(name)
