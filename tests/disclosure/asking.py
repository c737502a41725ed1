"""Questions to every operation of the published API, and what an answer must not tell.

A question is drawn for one person. Ids, codes and texts in it are theirs, or somebody else's,
or nobody's. An answer discloses something if a mark in it lies outside of what the person sees
and was not in the question; or if something of somebody else is answered otherwise than the
same question about nothing at all.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import httpx

from geo.layers import LAYERS
from server.clock import new_id
from server.identity.principal import Role
from tests.disclosure.town import CLASS, MARK, Person, Town
from tests.server.phones import bearer

METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
_NEW = re.compile(
    MARK.pattern
    + r'|jw_[\w-]+|(?<="lease":")[^"]+|(?<="server_time":")[^"]+|(?<="next_sync_s":)[0-9]+'
    + r"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9.]+Z"
)
NOT_ASKED = {
    ("get", "/v1/sync/wait"): "answers no data, after a second at the earliest",
    ("post", "/v1/break-glass"): "opens a place of others on purpose, and is reviewed",
}
TELLS_IDS = {
    "/v1/access-log": "which ids the readers of an administrator's area were given, wherever",
}
# What a parameter of a path, a query or a body may name, by its name.
KINDS: Mapping[str, tuple[str, ...]] = {
    "account": ("account",),
    "announcement_id": ("announcement",),
    "area": ("area",),
    "area_id": ("area",),
    "assignee": ("account",),
    "assignment_id": ("assignment",),
    "change_id": ("nothing",),
    "conflict_id": ("conflict",),
    "device": ("device",),
    "dwelling": ("dwelling",),
    "dwelling_id": ("dwelling",),
    "glass_id": ("nothing",),
    "grant": ("nothing",),
    "grid": ("grid",),
    "grid_id": ("grid",),
    "household_id": ("household",),
    "incident": ("incident",),
    "incident_id": ("incident",),
    "into": ("household", "resident", "dwelling", "incident"),
    "media_hash": ("media_hash",),
    "owner": ("account",),
    "parent": ("area",),
    "point_id": ("nothing",),
    "record": ("household", "resident", "visit", "note", "report", "incident", "task", "area"),
    "record_id": ("household", "resident", "visit", "note", "report", "incident", "task"),
    "register_id": ("nothing",),
    "report_id": ("report",),
    "request_id": ("nothing",),
    "resident_id": ("resident",),
    "task_id": ("task",),
    "upload_id": ("nothing",),
}
WORDS: Mapping[str, tuple[str, ...]] = {
    "as_of": ("2026-01-01T00:00:00Z", "2030-01-01T00:00:00Z"),
    "bbox": ("121.5,25.03,121.504,25.031", "121.504,25.03,121.508,25.031", "0,0,180,80"),
    "bbox-crs": ("CRS84", "EPSG:4326"),
    "class": (CLASS, "9999"),
    "code": ("not-in-scope", "mark1z", "G111", "D2", "C"),
    "crs": ("CRS84", "EPSG:4490"),
    "datetime": ("2020-01-01T00:00:00Z/..", "2030-01-01T00:00:00Z/.."),
    "field": ("door", "status"),
    "kind": ("household", "resident", "id_card"),
    "major": ("none",),
    "part": ("0a", "ff"),
    "worker": ("wG111", "wG222", "nobody"),
}


MADE = frozenset({"bucket", "epoch", "kind", "layer", "n", "seq"})
"""Parameters of paths that are no id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path of the API, with its parameters and the schema of its body."""

    method: str
    path: str
    parameters: tuple[Mapping[str, Any], ...]
    body: Mapping[str, Any] | None

    @property
    def reads(self) -> bool:
        """Whether it changes nothing that others see, whatever is asked."""
        asks = self.path.endswith(("/search", "/locate", "/sync", "/sync/records"))
        return asks or self.method in {"get", "head", "options"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request of one person; `foreign` are the marks in it that are somebody else's."""

    person: Person
    operation: Operation
    path: str
    query: Mapping[str, Any]
    body: Any
    foreign: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """All that the person said."""
        return json.dumps([self.path, dict(self.query), self.body])

    def about_nothing(self) -> "Question":
        """The same question about things that do not exist."""
        said = [self.path, dict(self.query), self.body]
        text = json.dumps(said)
        for each in self.foreign:
            text = text.replace(each, nothing_like(each))
        path, query, body = json.loads(text)
        return replace(self, path=path, query=query, body=body, foreign=())


def nothing_like(mark: str) -> str:
    """Something of the same form that is nowhere."""
    if mark.startswith("mark"):
        return "mark0" + "9" * (len(mark) - 6) + "z"
    return new_id() if "-" in mark else format(abs(hash(mark)), "064x")


def operations(api: Mapping[str, Any]) -> list[Operation]:
    """Everything that an OpenAPI document lets somebody with a token ask."""
    found = []
    for path, item in api["paths"].items():
        for method in METHODS:
            if method not in item or (method, path) in NOT_ASKED or not path.startswith("/v1/"):
                continue
            asked = item[method]
            content = asked.get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema")
            parameters = (*item.get("parameters", ()), *asked.get("parameters", ()))
            body = None if schema is None else _resolved(api, schema)
            made = Operation(method=method, path=path, parameters=parameters, body=body)
            found.append(made)
    return found


def _resolved(api: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema without references at its top, and without the choice to say nothing."""
    while True:
        chosen = [e for e in schema.get("anyOf", ()) if e.get("type") != "null"]
        if chosen:
            schema = chosen[0]
        elif "$ref" in schema:
            schema = api["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        else:
            return schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """What one question is drawn for; `named` are the marks that were put into it so far.

    Of an operation that `keeps` what it is told, no text is a mark: it would be found later.
    """

    person: Person
    foreign: bool
    keeps: bool
    named: list[str] = field(default_factory=list)


class Asking:
    """Draws questions; `api` is the document. It learns from the answers what to ask."""

    def __init__(self, api: Mapping[str, Any], town: Town, chance: Random) -> None:
        self._api, self._town, self._chance = api, town, chance
        self.heard: Counter[str] = Counter()
        self._cursors: dict[str, list[str]] = {}
        self._refused: set[tuple[Role, str]] = set()

    def whoever_may(self, operation: Operation) -> Person:
        """Somebody whose role was not refused this path before."""
        people = self._town.people
        may = [e for e in people if (e.role, operation.path) not in self._refused]
        return self._chance.choice(may or people)

    def learn(self, question: Question, answer: httpx.Response) -> None:
        """Remember who is refused what, what was answered, and the cursors that were given."""
        path = question.operation.path
        if answer.status_code == 403:
            self._refused.add((question.person.role, path))
        self.heard[path] += answer.status_code < 300
        if answer.headers.get("content-type") == "application/json":
            body = answer.json()
            if isinstance(body, dict) and isinstance(body.get("next"), str):
                self._cursors.setdefault(path, []).append(body["next"])

    def question(self, person: Person, operation: Operation, *, foreign: bool) -> Question:
        """A question that names things of others if `foreign`, else what the person may see."""
        draw = Draw(person=person, foreign=foreign, keeps=not operation.reads)
        path, query = operation.path, dict[str, Any]()

        def often() -> bool:
            return self._chance.random() < 0.25

        for each in operation.parameters:
            name, place = each["name"], each["in"]
            if place == "path":
                value = self._value(name, each["schema"], draw)
                path = path.replace("{" + name + "}", str(value))
            elif name == "cursor":
                given = self._cursors.get(operation.path, [])
                query |= {name: self._chance.choice(given)} if given and often() else {}
            elif place == "query" and (each.get("required") or often()):
                query[name] = self._value(name, each["schema"], draw)
        body = None
        if operation.path == "/v1/sync":
            body = self._contact(draw)
        elif operation.body is not None:
            body = self._body(operation.body, draw)
        outside = tuple(e for e in draw.named if not person.sees(*self._town.places[e]))
        return Question(
            person=person,
            operation=operation,
            path=path,
            query=query,
            body=body,
            foreign=outside,
        )

    def _contact(self, draw: Draw) -> Any:
        """A phone asks for everything anew, and for a bucket whoever it may belong to."""
        if draw.person.phone is None:
            return {}
        bucket = self._special("bucket", draw)
        heard = {"id": bucket, "epoch": 1, "seq": 0, "digest": "0" * 16}
        return {**draw.person.phone.body(), "buckets": [heard]}

    def _body(self, schema: Mapping[str, Any], draw: Draw) -> Any:
        wanted = set(schema.get("required", ()))
        return {
            name: self._value(name, each, draw)
            for name, each in schema.get("properties", {}).items()
            if name in wanted or self._chance.random() < 0.3
        }

    def _value(self, name: str, schema: Mapping[str, Any], draw: Draw) -> Any:
        schema = _resolved(self._api, schema)
        special = self._special(name, draw)
        if special is not None:
            return special
        if "enum" in schema or "const" in schema:
            return self._chance.choice(schema.get("enum", [schema.get("const")]))
        if name in KINDS:
            return self._named(KINDS[name], draw)
        if name in WORDS:
            return self._chance.choice(WORDS[name])
        return self._of_type(name, schema, draw)

    def _of_type(self, name: str, schema: Mapping[str, Any], draw: Draw) -> Any:
        match schema.get("type"):
            case "boolean":
                return self._chance.random() < 0.5
            case "integer" | "number":
                low = schema.get("minimum", 0)
                return self._chance.choice([low, min(schema.get("maximum", low), low + 50)])
            case "object":
                return self._body(schema, draw)
            case "array":
                return [self._value(name, _resolved(self._api, schema["items"]), draw)]
            case _:
                return "words" if draw.keeps else self._named(("text",), draw)

    def _special(self, name: str, draw: Draw) -> Any | None:
        """Values that are made of an id, or of what somebody else was given."""
        if name == "bucket":
            kind = self._chance.choice(("grid", "area", "user"))
            pool = {"grid": "grid", "area": "area", "user": "account"}[kind]
            return f"{kind}:{self._named((pool,), draw)}"
        if name in {"epoch", "seq", "n"}:
            return self._chance.randint(1, 4)
        if name == "records":
            found = self._named(KINDS["record"], draw)
            return [found]
        if name == "layer":
            return self._chance.choice(list(LAYERS))
        if name == "points":
            lon = 121.5 + self._chance.random() * 0.008
            return [{"lon": lon, "lat": 25.0305, "accuracy_m": 300, "datum": "wgs84"}]
        if name in {"lon", "lat"}:
            return 121.5 + self._chance.random() * 0.008 if name == "lon" else 25.0305
        return None

    def _named(self, kinds: tuple[str, ...], draw: Draw) -> str:
        kind = self._chance.choice(kinds)
        if kind == "account":
            return self._chance.choice(self._town.people).account
        if kind == "device":
            known = [each.phone.id for each in self._town.people if each.phone is not None]
            return new_id() if draw.keeps else self._chance.choice(known)
        pool = (self._town.outside if draw.foreign else self._town.inside)(kind, draw.person)
        if not pool:
            return new_id()
        found = self._chance.choice(pool)
        draw.named.append(found)
        return found


def token_of(question: Question) -> str:
    """The token that the operation takes: the phone's own for what phones do."""
    phone = question.person.phone
    if phone is not None and question.operation.path.startswith("/v1/sync"):
        return phone.token
    return question.person.token


async def answered(client: httpx.AsyncClient, question: Question) -> httpx.Response:
    """Ask."""
    headers = bearer(token_of(question))
    if not question.operation.reads:
        headers["if-match"] = '"1"'
    return await client.request(
        question.operation.method.upper(),
        question.path,
        params=question.query,
        json=question.body,
        headers=headers,
    )


def told(answer: httpx.Response) -> str:
    """All that an answer says."""
    headers = [f"{name}: {value}" for name, value in answer.headers.items()]
    return "\n".join([str(answer.status_code), *headers, answer.text])


def plain(answer: httpx.Response) -> str:
    """An answer without what differs each time: ids, marks, lengths and times of requests."""
    kept = {"etag", "content-type", "allow", "link"}
    headers = sorted(f"{n}: {v}" for n, v in answer.headers.items() if n in kept)
    return _NEW.sub("…", "\n".join([str(answer.status_code), *headers, answer.text]))


def disclosed(town: Town, question: Question, answer: httpx.Response) -> Iterator[str]:
    """What an answer tells the person that is not theirs to see."""
    asked = set(MARK.findall(question.said))
    for mark in set(MARK.findall(told(answer))) - asked:
        where = town.places.get(mark)
        if where is None or (question.operation.path in TELLS_IDS and "-" in mark):
            continue
        if not question.person.sees(*where):
            yield f"{mark} lies outside"
        elif mark in town.personal and question.person.role is Role.ANALYST:
            yield f"{mark} is personal"
