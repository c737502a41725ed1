"""The tables of the protocol's pages that are made from the code and from its vectors.

A page holds `<!-- made: NAME -->`, the table, `<!-- /made -->`; the name may have an argument.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from server.replication.endpoints import WAIT_S_MAX
from server.replication.pull import (
    PAGE_BYTES_DEFAULT,
    PAGE_BYTES_MAX,
    PAGE_BYTES_MIN,
    PAGE_ROWS_MAX,
)
from server.replication.push import BATCH_MUTATIONS_MAX
from server.settings import Limits
from sync.exchange import BUCKETS_MAX, MUTATIONS_MAX, REQUEST_BYTES_MAX
from sync.kinds import KINDS, SET_ELEMENTS_MAX, Writer
from sync.lifecycle import RANKS, TERMINAL, Act, acts_of
from sync.members import DEPTH_MAX
from sync.pacing import NEXT_SYNC_S_MAX, NEXT_SYNC_S_MIN
from sync.wire import BUCKET_ID_CHARS_MAX, LEASE_CHARS_MAX, VERSION_CHARS_MAX
from sync.wire_mutation import FIELDS_MAX, MUTATION_BYTES_MAX

Vectors = Mapping[str, Mapping[str, Any]]
MARKED: Final = re.compile(
    r"(?P<open><!-- made: (?P<name>\w+)(?: (?P<about>[\w-]+))? -->\n)"
    r".*?(?P<close><!-- /made -->)",
    re.DOTALL,
)


def filled_pages(texts: Mapping[str, str], vectors: Vectors) -> dict[str, str]:
    """Return the pages with every marked table made anew."""

    def made(found: re.Match[str]) -> str:
        lines = TABLES[found["name"]](found["about"] or "", vectors)
        return found["open"] + "\n" + "\n".join(lines) + "\n\n" + found["close"]

    return {path: MARKED.sub(made, text) for path, text in texts.items()}


def _table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    names = list(head)
    yield _row(names)
    yield "|" + "---|" * len(names)
    for row in rows:
        yield _row(str(each) for each in row)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _merge(name: str, vectors: Vectors) -> Iterator[str]:
    case = next(each for each in vectors["merge"]["cases"] if each["name"] == name)
    head = ("Author", "base", "sets", "at", "rev", "shown", "heads", "kept", "conflict")
    rows = [
        (
            f"{step['device']}{', resolves' if step['resolves'] else ''}",
            step["base"],
            _word(step["value"]),
            step["at_ms"],
            f"{step['rev']}{', nothing asked' if step['nothing'] else ''}",
            _word(step["shown"]),
            _heads(step["heads"]),
            _heads(step["kept"]),
            ", ".join(map(_word, step["conflict"])),
        )
        for step in case["steps"]
    ]
    yield from (case["lesson"], "")
    yield from _table(head, rows)


def _heads(heads: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(f"`{_bare(each['value'])}@{each['rev']}`" for each in heads)


def _bare(value: Any) -> str:
    return {True: "present", False: "absent"}[value] if isinstance(value, bool) else str(value)


def _word(value: Any) -> str:
    return f"`{_bare(value)}`"


def _time(_about: str, vectors: Vectors) -> Iterator[str]:
    rows = [
        (
            case["name"],
            _clock(case["clock"]),
            _clock(case["send"]),
            _ago(case["at_ms"] - case["received_ms"]),
            f"`{case['quality']}`",
        )
        for case in vectors["time"]["cases"]
    ]
    yield from _table(
        ("Case", "Clocks at the act", "Clocks at sending", "Time", "Quality"), rows
    )


def _clock(clock: Mapping[str, Any] | None) -> str:
    if clock is None:
        return "none"
    wall, minutes = clock["wall"], clock["uptime_ms"] // 60_000
    return f"{wall[:10]} {wall[11:16]}, {minutes} min, {clock['boot']}"


def _ago(span_ms: int) -> str:
    return "at arrival" if span_ms == 0 else f"{-span_ms // 60_000} min before"


def _states(kind: str, _vectors: Vectors) -> Iterator[str]:
    rows = [
        (f"`{state}`", rank, "yes" if state in TERMINAL[kind] else "")
        for state, rank in RANKS[kind].items()
    ]
    yield from _table(("State", "Rank", "Over"), rows)


def _acts(kind: str, _vectors: Vectors) -> Iterator[str]:
    rows = [(f"`{name}`", *_act(act, RANKS[kind])) for name, act in acts_of(kind).items()]
    yield from _table(("Act", "By", "From", "Arguments (**required**)"), rows)


def _act(act: Act, ranks: Mapping[str, int]) -> tuple[str, str, str]:
    arguments = ", ".join(
        f"**`{name}`**" if name in act.required else f"`{name}`" for name in act.args
    )
    if act.claims is not None:
        return "phone or console", f"claims `{act.claims}`", arguments
    states = ", ".join(f"`{state}`" for state in ranks if state in act.from_states)
    return "console", states or "any", arguments


def _writers(_about: str, _vectors: Vectors) -> Iterator[str]:
    rows = []
    for kind in KINDS.values():
        claimed = any(act.claims for act in acts_of(kind.name).values())
        phone = "" if Writer.PHONE not in kind.writers else "acts only" if claimed else "yes"
        console = "yes" if Writer.CONSOLE in kind.writers else ""
        parents = ", ".join(f"`{each}`" for each in kind.parents)
        rows.append(
            (
                f"`{kind.name}`",
                phone,
                console,
                "once" if kind.create_only else "",
                parents,
            )
        )
    yield from _table(("Kind", "Phone writes", "Console writes", "Created", "Parent"), rows)


def _limits(_about: str, _vectors: Vectors) -> Iterator[str]:
    rows: tuple[tuple[str, int], ...] = (
        ("mutations in a request", MUTATIONS_MAX),
        ("mutations in one transaction", BATCH_MUTATIONS_MAX),
        ("buckets in a request", BUCKETS_MAX),
        ("bytes of a request, unpacked, that a client should not exceed", REQUEST_BYTES_MAX),
        (
            "bytes of a request, unpacked, beyond which it is refused",
            Limits.model_fields["sync_bytes"].default,
        ),
        (
            "times a packed body may grow when it is unpacked",
            Limits.model_fields["gzip_ratio"].default,
        ),
        ("levels of nesting", DEPTH_MAX),
        ("canonical bytes of one mutation", MUTATION_BYTES_MAX),
        ("members of `set`, `add`, `remove`, `args`, each", FIELDS_MAX),
        ("elements of one array in `add`, `remove` or `media`", SET_ELEMENTS_MAX),
        ("characters of a bucket id", BUCKET_ID_CHARS_MAX),
        ("characters of a lease", LEASE_CHARS_MAX),
        ("characters of the app's version", VERSION_CHARS_MAX),
        ("least bytes of items in a reply (`max_bytes`)", PAGE_BYTES_MIN),
        ("usual bytes of items in a reply, without `max_bytes`", PAGE_BYTES_DEFAULT),
        ("most bytes of items in a reply", PAGE_BYTES_MAX),
        ("items in one page", PAGE_ROWS_MAX),
        ("least `next_sync_s`", NEXT_SYNC_S_MIN),
        ("most `next_sync_s`", NEXT_SYNC_S_MAX),
        ("seconds of one `GET /v1/sync/wait`", WAIT_S_MAX),
    )
    yield from _table(("What", "Limit"), ((what, f"{limit:,}") for what, limit in rows))


def _hash(_about: str, vectors: Vectors) -> Iterator[str]:
    record = vectors["canonical"]["records"][0]
    yield from ("```text", record["body"], "```", "", f"`hash` is `{record['hash']}`.")


def _digest(_about: str, vectors: Vectors) -> Iterator[str]:
    rows = [
        (
            case["name"],
            "<br>".join(f"`{each[:16]}`" for each in case["hashes"]),
            f"`{case['digest']}`",
        )
        for case in vectors["digest"]["cases"]
    ]
    yield from _table(("Bucket", "First 8 bytes of the hashes", "Digest"), rows)


TABLES: Final[Mapping[str, Callable[[str, Vectors], Iterator[str]]]] = {
    "merge": _merge,
    "time": _time,
    "states": _states,
    "acts": _acts,
    "writers": _writers,
    "limits": _limits,
    "hash": _hash,
    "digest": _digest,
}
