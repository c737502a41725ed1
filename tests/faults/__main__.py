"""Break the real server and print what was found, one report a line and as JSON.

    python -m tests.faults                         every class, on both databases
    python -m tests.faults --class kills cuts      only these
    python -m tests.faults --tier nightly          as large as a night allows
    python -m tests.faults --plant 3               the same with a known bug: it must be found

The exit code is 0 if every promise was kept, and with `--plant` if the bug was found.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import closing

from tests.faults.plants import PLANTS
from tests.faults.report import Report
from tests.faults.runs import RUNS, TIERS, Machines, databases_of, run_class, run_planted
from tests.faults.servers import DATABASES


def _asked() -> argparse.Namespace:
    summary, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="make faults ARGS=…",
        description=summary,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    tier = os.environ.get("JINGWEI_FAULTS_TIER", "ci")
    parser.add_argument("--class", dest="classes", nargs="*", choices=RUNS, default=list(RUNS))
    parser.add_argument("--database", nargs="*", choices=DATABASES, default=list(DATABASES))
    parser.add_argument("--tier", choices=TIERS, default=tier)
    parser.add_argument("--seconds", type=float, default=None, help="how long the soak lasts")
    parser.add_argument("--plant", type=int, nargs="*", choices=PLANTS, default=None)
    return parser.parse_args()


def _show(report: Report) -> None:
    sys.stderr.write(f"{report.line()}\n")
    sys.stdout.write(f"{report.as_json()}\n")
    sys.stdout.flush()


def _reports(asked: argparse.Namespace, machines: Machines) -> Iterator[bool]:
    size = TIERS[asked.tier]
    if asked.seconds is not None:
        size = type(size)(**{**vars(size), "soak_s": asked.seconds})
    for run in asked.classes:
        for database in databases_of(run):
            if database in asked.database:
                report = run_class(run, database, machines, size=size)
                _show(report)
                yield report.is_clean


def _planted(asked: argparse.Namespace, machines: Machines) -> Iterator[bool]:
    for number in asked.plant or PLANTS:
        planted, report = run_planted(number, machines)
        _show(report)
        found = planted.found_by & set(report.findings)
        verdict = f"found by {', '.join(sorted(found))}" if found else "NOT FOUND"
        sys.stderr.write(f"bug {number}, {planted.title}: {verdict}\n")
        yield bool(found)


def main() -> int:
    """Run what was asked for and return the exit code."""
    asked = _asked()
    with closing(Machines()) as machines:
        results = _reports if asked.plant is None else _planted
        kept = list(results(asked, machines))
    return 0 if kept and all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
