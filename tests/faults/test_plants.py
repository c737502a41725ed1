"""The harness can fail: a server with a known bug is found out by the check that should."""

import pytest

from tests.faults.plants import PLANTS
from tests.faults.runs import Machines, run_planted

pytestmark = [pytest.mark.db, pytest.mark.slow]


@pytest.mark.parametrize("number", PLANTS)
def test_a_planted_bug_is_found(machines: Machines, number: int) -> None:
    planted, report = run_planted(number, machines)
    assert planted.found_by & set(report.findings), f"{planted.title}: {report.line()}"
