"""`jingwei privacy`: hold the installation, and files that want in, to what was promised."""

from pathlib import Path
from typing import Annotated

import typer

from server.app import create_app
from server.privacy.conformance import conformance
from server.privacy.files import checked_file
from server.settings import Settings

privacy_app = typer.Typer(no_args_is_help=True, help="Check what is held about people.")
Files = Annotated[
    list[Path] | None,
    typer.Argument(dir_okay=False, help="tables, layers or mappings to check as well"),
]


@privacy_app.command("check")
def check(files: Files = None) -> None:
    """Run the conformance suite: what is refused is absent, what is held is explained.

    It looks at the record kinds, the tables and the published API, and at the names of columns
    in the files given: CSV, vector files, and mappings in JSON or YAML. No database is needed.
    The exit code is 1 if anything is found.

    Example: `jingwei privacy check households.csv mapping.yaml`
    """
    document = create_app(Settings.model_construct()).openapi()
    done = [*conformance(document), *(checked_file(path) for path in files or ())]
    for each in done:
        typer.echo(f"{'ok  ' if each.ok else 'BAD '} {each.name}: {each.looked_at}")
        for found in each.found:
            typer.echo(f"     {found}")
    if not all(each.ok for each in done):
        raise typer.Exit(1)
