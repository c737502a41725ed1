"""The reference phone conforms, and a client with one fault is found by the rule it breaks."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from conformance.contract import Client
from conformance.running import SCENARIOS, certify
from conformance.town import Plot, build_plot
from server.cli import add_commands, app
from tests.conformance.broken import FAULTS
from tests.style.sources import ROOT

BY_NAME = {each.name: each for each in SCENARIOS}
FOUND_BY = {
    "settles_what_it_sends": "lost-reply",
    "sends_another_body_the_second_time": "lost-reply",
    "moves_positions_without_data": "cut-reply",
    "drops_the_outbox_on_leave": "leaving",
    "keeps_what_it_may_not_hold": "leaving",
    "keeps_what_nobody_confirmed": "long-absence",
    "counts_its_absence_by_the_wall": "long-absence",
    "drops_the_outbox_after_an_absence": "long-absence",
    "keeps_what_moved_away": "moving",
    "keeps_what_a_reset_forgets": "reset",
    "renames_what_was_merged": "merged-record",
    "keeps_what_left_by_date": "left-by-date",
    "trusts_its_clock_for_dates": "past-its-date",
    "stores_what_it_knows_only": "canonical-bytes",
    "trusts_every_hash": "damaged-item",
    "says_it_is_up_to_date": "wrong-digest",
    "forgets_pending_work_on_the_screen": "pending-is-shown",
    "counts_its_own_work_into_the_base": "pending-is-shown",
    "shows_every_claim": "claims-are-shown",
    "does_not_wait": "asked-to-wait",
    "chooses_its_own_pace": "paced",
    "gives_up_for_an_hour": "backing-off",
    "always_asks_for_the_same": "asking-for-less",
    "ignores_limits": "in-batches",
    "takes_retry_for_an_end": "retry",
    "is_blocked_by_a_refusal": "poison",
    "offers_nothing_again": "restored-store",
    "trusts_a_doubtful_identity": "stale-lease",
    "leaves_its_outbox_behind": "reused-number",
    "sends_the_clock_of_the_act": "clocks",
    "refetches_for_ever": "wrong-digest",
    "hangs": "two-phones",
    "dies": "first-sync",
    "talks_nonsense": "first-sync",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("conformance")


@pytest.fixture(scope="module")
def plot(folder: Path) -> Plot:
    return build_plot(folder)


def test_the_reference_phone_conforms(folder: Path, plot: Plot) -> None:
    client = Client([sys.executable, "-m", "clients.conformance"], folder / "log")
    results = list(certify(client, SCENARIOS, folder=folder, plot=plot))
    assert {each.scenario.name: each.fault for each in results} == dict.fromkeys(BY_NAME)


def test_every_planted_fault_is_assigned_to_a_rule() -> None:
    assert FOUND_BY.keys() == FAULTS.keys()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_client_that_breaks_a_rule_is_found(fault: str, folder: Path, plot: Plot) -> None:
    command = [sys.executable, "-m", "tests.conformance.broken", fault]
    client = Client(command, folder / f"{fault}.log", answer_s=10)
    scenario = BY_NAME[FOUND_BY[fault]]
    (result,) = certify(client, [scenario], folder=folder, plot=plot)
    assert not result.passed, f"{scenario.name} does not notice a client that {fault}"


def test_a_client_that_cannot_be_started_is_a_result(folder: Path, plot: Plot) -> None:
    client = Client(["no-such-client"], folder / "none.log")
    (result,) = certify(client, [BY_NAME["first-sync"]], folder=folder, plot=plot)
    assert result.fault is not None
    assert "cannot be started" in result.fault


def run(*arguments: str) -> tuple[int, str]:
    add_commands()
    done = CliRunner().invoke(app, ["conformance", *arguments])
    return done.exit_code, done.output


def test_scenarios_are_listed_with_their_rules() -> None:
    code, said = run("--list")
    assert code == 0
    assert [line.split()[0] for line in said.splitlines()] == [each.name for each in SCENARIOS]


def test_results_are_written_as_json_and_a_broken_rule_ends_with_one(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    command = f"{sys.executable} -m tests.conformance.broken says_it_is_up_to_date"
    code, said = run(command, "--only", "wrong-digest", "--only", "paced", "--json", str(path))
    assert code == 1, said
    found = json.loads(path.read_text(encoding="utf-8"))
    assert (found["passed"], found["failed"]) == (1, 1)
    assert {each["name"] for each in found["scenarios"]} == {"wrong-digest", "paced"}
    assert "must: never up to date" in said


@pytest.mark.parametrize("arguments", [(), ("cmd", "--only", "no-such-scenario")])
def test_what_is_not_asked_for_rightly_is_refused(arguments: tuple[str, ...]) -> None:
    assert run(*arguments)[0] == 2


def test_the_adapter_answers_what_it_cannot_do_with_an_error() -> None:
    asked = [
        {"id": 1, "do": "sync"},
        {"id": 2, "do": "dance"},
        {"id": 3, "do": "hello", "contract": 1},
    ]
    done = subprocess.run(
        [sys.executable, "-m", "clients.conformance"],
        input="".join(json.dumps(each) + "\n" for each in asked),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["error" in each for each in answers] == [True, True, False]
    assert [each["id"] for each in answers] == [1, 2, 3]
