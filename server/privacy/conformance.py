"""The conformance suite of privacy: what is refused is absent, everything held is explained.

Each check is a plain function that returns what it found; nothing found is what it wants.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from server.db.holdings import superfluous
from server.privacy.catalogue import kind_entries, table_entries, unclassified
from server.privacy.periods import periods, without_end
from sync.refused import refused_concept

METHODS: Final = ("get", "post", "put", "patch", "delete")
WORKERS: Final = frozenset(
    [
        "account",
        "actor",
        "assignee",
        "author",
        "by",
        "login",
        "owner",
        "reporter",
        "visitor",
        "worker",
    ]
)
"""Properties that name one worker."""
ORDERING: Final = frozenset(
    [
        "asc",
        "ascending",
        "by_value",
        "desc",
        "descending",
        "direction",
        "order",
        "order_by",
        "sort",
        "sort_by",
        "top",
    ]
)
"""Parameters that put a list into an order of the caller's choice."""
MEASURES: Final = frozenset(
    [
        "average",
        "count",
        "efficiency",
        "grade",
        "mean",
        "median",
        "percent",
        "percentage",
        "percentile",
        "performance",
        "points",
        "productivity",
        "rate",
        "rating",
        "stars",
        "total",
    ]
)
"""Words of properties that say how much somebody did, or how well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One check: what it looked at, and what it found wrong."""

    name: str
    looked_at: str
    found: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.found


def refused_names(names: Iterable[str]) -> list[str]:
    """Return `name: concept` for every name that comes near something refused."""
    return [
        f"{name}: {concept}"
        for name in dict.fromkeys(names)
        if (concept := refused_concept(name)) is not None
    ]


def api_names(node: Any) -> Iterator[str]:
    """Yield every path, schema, property and parameter name of an OpenAPI document."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in {"paths", "properties", "schemas"} and isinstance(value, dict):
                yield from value
            if key == "parameters" and isinstance(value, list):
                yield from (each["name"] for each in value if "name" in each)
            yield from api_names(value)
    elif isinstance(node, list):
        for each in node:
            yield from api_names(each)


def rankings(document: Mapping[str, Any]) -> list[str]:
    """Return the calls and bodies by which named workers could be ranked.

    A call whose answer names workers takes no order from the caller; and no body holds a name
    of a worker beside a measure of that worker.
    """
    schemas = document.get("components", {}).get("schemas", {})
    calls = [
        f"{method.upper()} {path}: orders workers by {name}"
        for path, item in document["paths"].items()
        for method, call in item.items()
        if method in METHODS
        for name in _ordering(call)
        if WORKERS & _reached(call.get("responses", {}), schemas)
    ]
    bodies = [
        f"{name}: measures workers by {measure}"
        for name, schema in schemas.items()
        for measure in _measures(schema)
    ]
    return calls + bodies


def _ordering(call: Mapping[str, Any]) -> list[str]:
    named = (str(each.get("name", "")) for each in call.get("parameters", ()))
    return [name for name in named if name.lower().replace("-", "_") in ORDERING]


def _measures(schema: Mapping[str, Any]) -> list[str]:
    names = set(schema.get("properties", {}))
    if not WORKERS & names:
        return []
    return sorted(name for name in names if MEASURES & set(name.lower().split("_")))


def _reached(node: Any, schemas: Mapping[str, Any]) -> set[str]:
    """The property names of a body and of all that it refers to."""
    names: set[str] = set()
    seen: set[str] = set()
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, dict):
            names |= set(each.get("properties", {}))
            referred = str(each.get("$ref", "")).rpartition("/")[2]
            if referred in schemas and referred not in seen:
                seen.add(referred)
                waiting.append(schemas[referred])
            waiting += each.values()
    return names


def conformance(document: Mapping[str, Any]) -> list[Checked]:
    """Check the record kinds, the tables and the published API of this installation."""
    fields, columns = kind_entries(), table_entries()
    names = list(api_names(document))
    return [
        Checked(
            name="every field and column is classified",
            looked_at=f"{len(fields)} fields, {len(columns)} columns",
            found=tuple(unclassified((*fields, *columns)) + superfluous()),
        ),
        Checked(
            name="what is held for a period is ended by a job",
            looked_at=f"{len(periods(columns))} tables",
            found=tuple(without_end(columns)),
        ),
        Checked(
            name="no record kind holds what is refused",
            looked_at=f"{len(fields)} fields",
            found=tuple(refused_names(f"{each.place}.{each.name}" for each in fields)),
        ),
        Checked(
            name="no table holds what is refused",
            looked_at=f"{len(columns)} columns",
            found=tuple(refused_names(f"{each.place}.{each.name}" for each in columns)),
        ),
        Checked(
            name="the published API names nothing refused",
            looked_at=f"{len(names)} names",
            found=tuple(refused_names(names)),
        ),
        Checked(
            name="no call ranks named workers",
            looked_at=f"{len(document['paths'])} paths",
            found=tuple(rankings(document)),
        ),
    ]
