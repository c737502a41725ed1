"""`jingwei conformance CLIENT_CMD`: certify a client of the sync protocol."""

import json
import shlex
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from conformance.contract import ANSWER_S, CONTRACT, Client
from conformance.running import SCENARIOS, Result, certify
from conformance.scenario import Scenario
from conformance.town import TownNotBuilt
from sync.exchange import PROTOCOL

NOT_CONFORMING, FAILED = 1, 2


def conformance(
    client: Annotated[
        str | None,
        typer.Argument(help="command that starts the client", metavar="CLIENT_CMD"),
    ] = None,
    *,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="a scenario by name; may be repeated")
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="name the scenarios and the rules they certify")
    ] = False,
    patience_s: Annotated[
        float, typer.Option(min=1, help="longest wait for one answer of the client")
    ] = ANSWER_S,
    json_file: Annotated[
        Path | None, typer.Option("--json", dir_okay=False, help="write the results here")
    ] = None,
) -> None:
    """Certify a phone client against the sync protocol.

    The client is a process that answers one line of JSON with one line of JSON; what it is
    asked is in docs/reference/conformance.md. It talks to a real server on this machine over a
    network that loses, cuts, doubles and rewrites on plan. The exit code is 1 if a rule broke.

    Example: `jingwei conformance "python -m clients.conformance"`
    """
    wanted = _wanted(only)
    if listed:
        for each in wanted:
            typer.echo(f"{each.name:22} {each.rule:20} {each.must}")
        return
    if not client:
        raise typer.BadParameter(
            "name the command that starts the client", param_hint="CLIENT_CMD"
        )
    results: list[Result] = []
    try:
        with tempfile.TemporaryDirectory(prefix="jingwei-conformance-") as name:
            folder = Path(name)
            phone = Client(shlex.split(client), folder / "client.log", answer_s=patience_s)
            for result in certify(phone, wanted, folder=folder):
                results.append(result)
                _tell(result)
    except TownNotBuilt as fault:
        typer.echo(f"jingwei conformance: {fault}", err=True)
        raise typer.Exit(FAILED) from None
    broken = [each for each in results if not each.passed]
    typer.echo(f"{len(results) - len(broken)} passed, {len(broken)} failed")
    if json_file is not None:
        json_file.write_text(json.dumps(_as_json(results), indent=2) + "\n", encoding="utf-8")
    if broken:
        raise typer.Exit(NOT_CONFORMING)


def _wanted(only: list[str] | None) -> list[Scenario]:
    by_name = {each.name: each for each in SCENARIOS}
    unknown = sorted(set(only or ()) - by_name.keys())
    if unknown:
        raise typer.BadParameter(f"no scenario {', '.join(unknown)}", param_hint="--only")
    return [each for each in SCENARIOS if not only or each.name in only]


def _tell(result: Result) -> None:
    mark = "ok  " if result.passed else "FAIL"
    scenario = result.scenario
    spent = f"{result.calls:4} calls {result.seconds:6.1f} s"
    typer.echo(f"{mark} {scenario.name:22} {scenario.rule:20} {spent}")
    if result.fault is not None:
        typer.echo(f"     must: {scenario.must}\n     but it {result.fault}")


def _as_json(results: list[Result]) -> dict[str, Any]:
    return {
        "protocol": PROTOCOL,
        "contract": CONTRACT,
        "passed": sum(each.passed for each in results),
        "failed": sum(not each.passed for each in results),
        "scenarios": [
            {
                "name": each.scenario.name,
                "rule": each.scenario.rule,
                "must": each.scenario.must,
                "passed": each.passed,
                "fault": each.fault,
                "calls": each.calls,
                "seconds": round(each.seconds, 3),
            }
            for each in results
        ],
    }
