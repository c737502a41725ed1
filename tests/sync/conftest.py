"""The cores are pure: a test that opens a socket fails. And who takes part in the tests."""

from collections.abc import Iterator

import pytest

from sync.fold import fold
from sync.outcome import Outcome
from tests.sync.backend import HOUR, START, Backend, Device, at, town
from tests.sync.casework import HERE, REPORT, TASK_ID, Case


@pytest.fixture(autouse=True)
def _no_network(socket_disabled):
    """Refuse every socket while a test runs."""


@pytest.fixture
def backend() -> Iterator[Backend]:
    """A town; whatever happens in it, its history folds to its records."""
    made = town()
    yield made
    assert fold(made.history) == made.records()


@pytest.fixture
def anna() -> Device:
    return Device("anna")


@pytest.fixture
def bo() -> Device:
    return Device("bo")


@pytest.fixture
def office() -> Device:
    return Device("office", console=True)


@pytest.fixture
def case() -> Case:
    """A report came in and made an incident."""
    made = Case(town(), Device("anna"), Device("bo"), Device("office", console=True))
    reported = made.backend.do(
        made.worker,
        REPORT,
        "report",
        set={"class": "leak", "text": "water on the road"},
        add={"media": ("sha256:" + "0" * 64,)},
        position=at(),
        located=HERE,
        at_ms=START + HOUR,
        received_ms=START + HOUR,
    )
    assert reported.outcome is Outcome.APPLIED
    made.incident = made.backend.state(REPORT)["incident"]
    return made


@pytest.fixture
def dispatched(case: Case) -> Case:
    """The incident was given to the worker."""
    answer = case.decide(
        "dispatch",
        task=TASK_ID,
        assignee=case.worker.account,
        instruction="close the valve",
        due_at_ms=START + 9 * HOUR,
        case_no="C-1",
    )
    assert answer.outcome is Outcome.APPLIED
    return case
