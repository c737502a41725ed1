"""Upload order does not matter, pushing again changes nothing, and the fold agrees."""

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from sync.fold import fold
from sync.lifecycle import RANKS
from sync.outcome import Outcome
from tests.sync.backend import END, view
from tests.sync.histories import STRANGER, Step, busy_town, histories, reordered, replay


@given(histories(), st.data())
def test_any_interleaving_of_the_same_histories_shows_the_same(history, data):
    first = replay(history, busy_town())
    second = replay(reordered(data.draw, history), busy_town())
    assert view(first.records()) == view(second.records())


@given(histories())
def test_the_fold_of_the_stored_history_is_what_is_stored(history):
    backend = replay(history, busy_town())
    assert fold(backend.history) == backend.records()


@given(histories(), st.data())
def test_pushing_any_prefix_again_gives_the_same_answers_and_changes_nothing(history, data):
    backend = replay(history, busy_town())
    before = dict(backend.stored)
    for name in {each.device.name for each in history}:
        own = [each for each in history if each.device.name == name]
        again = own[: data.draw(st.integers(0, len(own)))]
        plan = backend.push(own[0].device, *(each.mutation for each in again))
        assert not plan.writes
        assert not plan.settled
        for answer, each in zip(plan.answers, again, strict=True):
            first = backend.answers[each.device.id, each.mutation.n]
            assert answer.replayed
            assert (answer.outcome, answer.code, answer.rev) == (
                first.outcome,
                first.code,
                first.rev,
            )
    assert backend.stored == before


@given(histories(), st.data())
def test_how_a_batch_is_cut_into_calls_changes_nothing(history, data):
    history.sort(key=lambda each: each.device.name)
    whole, cut = busy_town(), busy_town()
    for _, steps in groupby(history, key=lambda each: each.device.name):
        lane = list(steps)
        push_all(whole, lane)
        while lane:
            size = data.draw(st.integers(1, len(lane)))
            push_all(cut, lane[:size])
            lane = lane[size:]
    assert whole.stored == cut.stored
    assert whole.answers == cut.answers


def push_all(backend, steps: list[Step]) -> None:
    located = {each.mutation.n: each.located for each in steps if each.located is not None}
    plan = backend.push(
        steps[0].device,
        *(each.mutation for each in steps),
        located=located,
        received_ms=END,
    )
    assert len(plan.answers) == len(steps)


@given(histories(steps_max=12))
def test_status_never_goes_down_inside_an_epoch_and_facts_are_never_refused(history):
    backend = busy_town()
    reached: dict[str, tuple[int, int]] = {}
    for each in history:
        replay([each], backend)
        for record in backend.records().values():
            if record.status is not None:
                now = (record.status.epoch, RANKS[record.kind][record.status.state])
                assert now >= reached.get(record.id, now)
                reached[record.id] = now
        if each.device.name != STRANGER or each.mutation.kind in {"report", "task"}:
            outcome = backend.answers[each.device.id, each.mutation.n].outcome
            assert outcome not in {Outcome.HELD, Outcome.INVALID, Outcome.QUARANTINED}
