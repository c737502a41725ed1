"""Run the measurements one after the other and print one JSON object a line.

    python -m bench.run             all of them
    python -m bench.run push pull   only these

Each is also a program of its own with options: `python -m bench.push --help`.
"""

import argparse
import ast
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def measurements() -> list[str]:
    """Names of the modules here that measure something: those with a `main`."""
    return sorted(
        path.stem
        for path in FOLDER.glob("*.py")
        if path.stem != "run"
        and any(
            isinstance(node, ast.FunctionDef) and node.name == "main"
            for node in ast.parse(path.read_text(encoding="utf-8")).body
        )
    )


def main() -> int:
    """Run what was named; the exit code says whether all of them finished."""
    known = measurements()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    chosen = parser.parse_args().names or known
    if strange := sorted(set(chosen) - set(known)):
        parser.error(f"no measurement {', '.join(strange)}; there are {', '.join(known)}")
    codes = [
        subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode
        for name in chosen
    ]
    return max(codes, default=0)


if __name__ == "__main__":
    sys.exit(main())
