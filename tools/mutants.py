"""Change the rules of `sync/` one token at a time and ask whether any test notices.

`make mutants ARGS="merge lifecycle"` does it for these modules (all without arguments) with
mutmut, in the folder `mutants/`, which later runs reuse; only the mutants of these modules are
run, although the count that mutmut shows meanwhile is out of all. A changed rule that every
test passes, or that no test reaches, is a survivor: either a test is missing, or the change
changes nothing; then it is listed in `tools/mutants.toml` with the reason.

The exit code is 1 if a survivor that is not listed is in one of the modules that may have none,
if fewer than 90 % of all are noticed, or if something listed is noticed after all.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parents[1]
COPY = ROOT / "mutants"
FOLDER = COPY / "sync"
LISTED = ROOT / "tools" / "mutants.toml"
MUTMUT = (str(Path(sys.executable).with_name("mutmut")),)
NOTICED_MIN = 0.9
SURVIVED: Final = frozenset({0, 5, 33, 34})
"""What mutmut notes of a mutant when all tests pass, or when there is none that reaches it."""
NOT_RUN = None


@dataclass(frozen=True, slots=True)
class Change:
    """What one mutant changes: in which function, which line into which."""

    function: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What became of the mutants of one module."""

    module: str
    total: int
    survivors: tuple[tuple[str, Change], ...]


def main(arguments: Sequence[str]) -> int:
    """Run the mutants that the command line names, report, and return the exit code."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", help="modules of sync/, such as merge")
    parser.add_argument("--jobs", type=int, default=1, help="mutants tested at a time")
    parser.add_argument("--report", action="store_true", help="only report the last results")
    asked = parser.parse_args(arguments)
    modules = asked.modules or sorted(each.stem for each in (ROOT / "sync").glob("[a-z]*.py"))
    if not asked.report:
        _run(modules, jobs=asked.jobs)
    listed = tomllib.loads(LISTED.read_text(encoding="utf-8"))
    return _report([_findings(each) for each in modules if _meta(each).exists()], listed)


def _run(modules: Sequence[str], *, jobs: int) -> None:
    command = [
        str(Path(sys.executable).with_name("mutmut")),
        "run",
        "--max-children",
        str(jobs),
    ]
    names = [f"sync.{each}.*" for each in modules]
    # Which test reaches which function is asked anew: a test may have changed since.
    shutil.rmtree(COPY / "tests", ignore_errors=True)
    (COPY / "mutmut-stats.json").unlink(missing_ok=True)
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "mutants"}
    subprocess.run([*command, *names], check=True, cwd=ROOT, env=environment)  # noqa: S603


def _meta(module: str) -> Path:
    return FOLDER / f"{module}.py.meta"


def _findings(module: str) -> Findings:
    codes: dict[str, int | None] = json.loads(_meta(module).read_text(encoding="utf-8"))[
        "exit_code_by_key"
    ]
    done = {name: code for name, code in codes.items() if code is not NOT_RUN}
    survivors = tuple(
        (name, _change(name)) for name, code in sorted(done.items()) if code in SURVIVED
    )
    return Findings(module=module, total=len(done), survivors=survivors)


def _change(mutant: str) -> Change:
    command = [*MUTMUT, "show", mutant]
    shown = subprocess.run(  # noqa: S603
        command, check=True, cwd=ROOT, capture_output=True, text=True
    ).stdout
    lines = [each for each in shown.splitlines() if not each.startswith(("---", "+++"))]
    before = " ".join(each[1:].strip() for each in lines if each.startswith("-"))
    after = " ".join(each[1:].strip() for each in lines if each.startswith("+"))
    return Change(_function(mutant), before, after)


def _function(mutant: str) -> str:
    """The function a mutant changes, such as `merge.accept` or `sheet.Sheet.get`."""
    mangled = mutant.rsplit("__mutmut_", 1)[0].removeprefix("sync.")
    return mangled.replace(".x_", ".").replace(".xǁ", ".").replace("ǁ", ".")


def _report(findings: Sequence[Findings], listed: Mapping[str, object]) -> int:
    excused = set(_excused(listed))
    strict, at_import = _names(listed, "without_survivors"), _names(listed, "at_import")
    wrong: list[str] = []
    total = noticed = 0
    seen: set[Change] = set()
    for each in findings:
        seen |= {change for _, change in each.survivors}
        left = [
            (name, change)
            for name, change in each.survivors
            if change not in excused and change.function not in at_import
        ]
        total += each.total
        noticed += each.total - len(left)
        sys.stdout.write(f"{each.module}: {each.total} mutants, {len(left)} survive\n")
        for name, change in left:
            sys.stdout.write(f"  {name}\n    - {change.before}\n    + {change.after}\n")
        if left and each.module in strict:
            wrong.append(f"{each.module} may have no survivor")
    names = {each.module for each in findings if each.total}
    stale = [each for each in excused - seen if each.function.split(".")[0] in names]
    wrong += [f"listed but noticed: {each.function}: {each.after}" for each in stale]
    if total and noticed / total < NOTICED_MIN:
        wrong.append(f"only {noticed / total:.1%} are noticed")
    sys.stdout.write(f"{noticed} of {total} noticed\n" + "".join(f"{e}\n" for e in wrong))
    return int(bool(wrong))


def _names(listed: Mapping[str, object], name: str) -> frozenset[str]:
    names = listed[name]
    if not isinstance(names, list):
        raise TypeError(f"{LISTED.name}: `{name}` must be a list")
    return frozenset(map(str, names))


def _excused(listed: Mapping[str, object]) -> Iterator[Change]:
    entries = listed["equivalent"]
    if not isinstance(entries, list):
        raise TypeError(f"{LISTED.name}: `equivalent` must be a list")
    for each in entries:
        yield Change(each["function"], each["before"], each["after"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
