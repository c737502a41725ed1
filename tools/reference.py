"""Write the reference pages that are made from the code, so that they cannot be out of date.

`make openapi` runs it; `tests/docs` compares the committed pages with `PAGES`.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import typer.main
import yaml
from pydantic_settings import BaseSettings

from server.cli import add_commands
from server.cli import app as command_line
from server.privacy.catalogue import Entry, by_place, kind_entries, table_entries
from server.problems import describe_problems
from server.settings import Limits, Settings
from sync.fields import Choice, Integer, Media, Ref, Text
from sync.holding import PURPOSES, RETENTIONS, SOURCES
from sync.kinds import KINDS, Kind

ROOT = Path(__file__).resolve().parents[1]
NOTICE = "<!-- Made from the code by `make openapi`. Do not edit. -->"


def _page(title: str, intro: str, body: list[str]) -> str:
    return "\n".join([NOTICE, "", f"# {title}", "", intro, "", *body]).rstrip() + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def problems_page() -> str:
    """Return the page of every problem the API can answer with."""
    body: list[str] = []
    for each in describe_problems():
        body += [
            f"## {each['slug']}",
            "",
            f"{each['status']} · {each['title']} · {each['title_zh']}",
            "",
            inspect.cleandoc(str(each["what_to_do"])),
            "",
        ]
    intro = (
        "An answer that is not a success is an RFC 9457 problem, `application/problem+json`. "
        "Its `type` is `/problems/` and a name below; names are permanent. No problem repeats "
        "what was sent. `instance` names the request for the operator's log."
    )
    return _page("Problems", intro, body)


def _setting_rows(prefix: str, settings: type[BaseSettings]) -> Iterator[str]:
    for name, field in settings.model_fields.items():
        if name == "limits":
            continue
        default = field.default
        shown = "empty" if default == "" else f"`{default}`"
        meaning = _cell(field.description or "")
        yield f"| `{prefix}{name.upper()}` | {shown} | {meaning} |"


def configuration_page() -> str:
    """Return the page of every environment variable."""
    head = ["| Variable | Default | Meaning |", "|---|---|---|"]
    body = [
        *head,
        *_setting_rows("JINGWEI_", Settings),
        "",
        "## Limits",
        "",
        "What one request may cost. Beyond a limit the answer is a problem.",
        "",
        *head,
        *_setting_rows("JINGWEI_LIMIT_", Limits),
    ]
    intro = "Settings come from the environment only. Secrets have no defaults."
    return _page("Configuration", intro, body)


def _type_text(kind: Any) -> str:
    match kind:
        case Text(max_chars=limit):
            return f"text, at most {limit:,} characters"
        case Integer(low=low, high=high):
            return f"integer, {low} to {high}"
        case Choice(words=options):
            return "one of " + ", ".join(f"`{option}`" for option in options)
        case Ref(kind=target):
            return f"id of a {target}"
        case Media():
            return "`sha256:` and 64 hexadecimal digits"
        case _:
            return "true or false"


def _marks(field: Any) -> str:
    marks = [name for name in ("required", "immutable", "derived") if getattr(field, name)]
    return ", ".join(marks)


def _kind_part(kind: Kind) -> list[str]:
    writers = ", ".join(sorted(kind.writers))
    once = " Created once, never edited." if kind.create_only else ""
    rows = [
        f"| `{each.name}` | {_type_text(each.type)} | {each.policy} | {each.data_class} "
        f"| {_marks(each)} |"
        for each in kind.fields.values()
    ]
    sets = [
        f"| `{name}` | set of {_type_text(each)} | | | |" for name, each in kind.sets.items()
    ]
    return [
        f"## {kind.name}",
        "",
        f"Lives in: {kind.home} bucket. Written by: {writers}.{once}",
        "",
        "| Field | Holds | Policy | Class | |",
        "|---|---|---|---|---|",
        *rows,
        *sets,
        "",
    ]


def record_kinds_page() -> str:
    """Return the page of every record kind with its fields."""
    intro = (
        "What can be synced. Policies are explained in [merge](../protocol/04-merge.md), "
        "classes in [privacy](../privacy.md). A `derived` field is written by the server only."
    )
    return _page(
        "Record kinds", intro, [line for kind in KINDS.values() for line in _kind_part(kind)]
    )


def _said(entry: Entry) -> str:
    if entry.holding is None:
        return f"| `{entry.name}` | | | | |"
    purposes = ", ".join(entry.holding.purposes)
    return (
        f"| `{entry.name}` | {entry.holding.data_class} | {purposes} "
        f"| {entry.holding.retention} | {entry.holding.source} |"
    )


def _catalogue_parts(entries: list[Entry]) -> Iterator[str]:
    for place, found in by_place(entries).items():
        yield from (f"### {place}", "", "| | Class | Purposes | Retention | Source |")
        yield from ("|---|---|---|---|---|", *map(_said, found), "")


def _words(title: str, meanings: Mapping[Any, str]) -> list[str]:
    rows = [f"| {word} | {_cell(meaning)} |" for word, meaning in meanings.items()]
    return [f"## {title}", "", "| Word | Meaning |", "|---|---|", *rows, ""]


def data_catalogue_page() -> str:
    """Return the page of every field and column: class, purposes, retention, source."""
    intro = (
        "Everything that is held, and why. Classes and what is refused are explained in "
        "[privacy](../privacy.md). `jingwei privacy check` fails for a field or column that is "
        "missing here."
    )
    body = [
        *_words("Purposes", PURPOSES),
        *_words("Retention", RETENTIONS),
        *_words("Source of truth", SOURCES),
        "## Record kinds",
        "",
        *_catalogue_parts(kind_entries()),
        "## Tables",
        "",
        *_catalogue_parts(table_entries()),
    ]
    return _page("Data catalogue", intro, body)


def _option_rows(command: Any) -> Iterator[str]:
    for parameter in command.params:
        if parameter.name == "help":
            continue
        if parameter.param_type_name == "argument":
            spelled = parameter.name.upper()
        else:
            spelled = ", ".join(parameter.opts)
        yield f"| `{spelled}` | {_cell(getattr(parameter, 'help', None) or '')} |"


def _command_parts(command: Any, path: str) -> Iterator[str]:
    yield from (f"## {path}", "", inspect.cleandoc(command.help or "").replace("\b\n", ""), "")
    rows = list(_option_rows(command))
    if rows:
        yield from ("| Option | Meaning |", "|---|---|", *rows, "")
    for name, child in sorted(getattr(command, "commands", {}).items()):
        yield from _command_parts(child, f"{path} {name}")


def command_line_page() -> str:
    """Return the page of every command and option."""
    add_commands()
    root = typer.main.get_command(command_line)
    intro = "`jingwei --help`, and `--help` after any command, say the same in the terminal."
    return _page("Command line", intro, list(_command_parts(root, "jingwei")))


def http_page() -> str:
    """Return the page of every call, from the committed openapi.yaml."""
    document = yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))
    rows = [
        f"| `{method.upper()} {path}` | {_cell(call.get('description') or call['summary'])} |"
        for path, calls in document["paths"].items()
        for method, call in calls.items()
        if method in {"get", "post", "put", "patch", "delete"}
    ]
    intro = (
        "Every call, made from [`openapi.yaml`](../../openapi.yaml), which has the parameters, "
        "bodies and answers. A running server shows the same at `/docs`."
    )
    return _page("HTTP calls", intro, ["| Call | What it does |", "|---|---|", *rows])


PAGES: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "docs/reference/command-line.md": command_line_page,
        "docs/reference/configuration.md": configuration_page,
        "docs/reference/data-catalogue.md": data_catalogue_page,
        "docs/reference/http.md": http_page,
        "docs/reference/problems.md": problems_page,
        "docs/reference/record-kinds.md": record_kinds_page,
    }
)


def main() -> None:
    """Write every page."""
    for path, make in PAGES.items():
        (ROOT / path).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
