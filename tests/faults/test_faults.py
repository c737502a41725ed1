"""Every class of faults at its smoke size; `make faults` runs the same ones larger."""

import os

import pytest

from tests.faults.runs import RUNS, TIERS, Machines, databases_of, run_class

pytestmark = [pytest.mark.db, pytest.mark.slow]
SIZE = TIERS[os.environ.get("JINGWEI_FAULTS_TIER", "smoke")]
CASES = [(run, database) for run in RUNS for database in databases_of(run)]


@pytest.mark.parametrize(("run", "database"), CASES)
def test_nothing_acknowledged_is_lost_or_doubled_and_nobody_is_stuck_under(
    machines: Machines, run: str, database: str
) -> None:
    report = run_class(run, database, machines, size=SIZE)
    assert report.injected > 0
    assert report.is_clean, report.line()
