"""A town of two districts in which everything that can be read bears a mark of where it lies.

Which areas people answer for, and who holds what, is drawn by chance.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
from sqlalchemy import Connection, insert

from geo.areas import Span, child_span
from geo.boundary import encode_boundary
from geo.measure import area_m2
from server.clock import new_id, now_ms
from server.db.store import Store
from server.db.tables import Area
from server.identity.principal import Role
from server.identity.queries import assign, create_account, create_token
from server.replication.submit import Console
from tests.server.loop import report_in
from tests.server.phones import RawPhone, bearer, held
from tests.world import DAY_MS, centre_e7, done, draft, square

MARK = re.compile(r"mark[0-9]+z|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{64}")
BOSS = "boss"
CLASS = "0102"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who may ask: an account with what it may see, and for a worker the phone it carries."""

    login: str
    role: Role
    account: str
    token: str
    spans: tuple[Span, ...]
    phone: RawPhone | None = None

    def sees(self, *spans: Span) -> bool:
        """Whether one of these parts of the tree is theirs, or lies above what is."""
        return any(
            span.lo <= each.hi and each.lo <= span.hi for each in self.spans for span in spans
        )


@dataclass(slots=True, kw_only=True)
class Town:
    """What was built: where each mark lies, what is personal, and ids by what they name."""

    spans: dict[str, Span] = field(default_factory=dict)
    areas: dict[str, str] = field(default_factory=dict)
    places: dict[str, tuple[Span, ...]] = field(default_factory=dict)
    personal: set[str] = field(default_factory=set)
    named: dict[str, list[str]] = field(default_factory=dict)
    people: list[Person] = field(default_factory=list)
    boss: Person | None = None
    serial: int = 0

    def put(self, kind: str, code: str) -> str:
        """A new id of something of this kind that lies in an area."""
        made = new_id()
        self.note(kind, made, code)
        return made

    def note(self, kind: str, mark: str, code: str) -> None:
        """Remember where something lies."""
        self.places[mark] = (self.spans[code],)
        self.named.setdefault(kind, []).append(mark)

    def mark(self, code: str, *, personal: bool = False) -> str:
        """A text that stands nowhere else."""
        self.serial += 1
        made = f"mark{self.serial}z"
        self.note("text", made, code)
        if personal:
            self.personal.add(made)
        return made

    def outside(self, kind: str, person: Person) -> list[str]:
        """What there is of a kind that is not theirs to see."""
        return [e for e in self.named.get(kind, ()) if not person.sees(*self.places[e])]

    def inside(self, kind: str, person: Person) -> list[str]:
        """What there is of a kind that may be theirs."""
        return [e for e in self.named.get(kind, ()) if person.sees(*self.places[e])]

    @property
    def grids(self) -> list[str]:
        """Codes of the grids, from west to east."""
        return sorted(each for each in self.spans if each.startswith("G"))


def _tree() -> Iterator[tuple[str, str | None, int, int]]:
    """`(code, parent, level, ordinal)`: a city with two districts of four grids each."""
    yield "C", None, 1, 1
    for district in (1, 2):
        yield f"D{district}", "C", 2, district
        yield f"S{district}", f"D{district}", 3, 1
        for community in (1, 2):
            yield f"N{district}{community}", f"S{district}", 4, community
            for grid in (1, 2):
                parent = f"N{district}{community}"
                yield f"G{district}{community}{grid}", parent, 5, grid


def _areas(db: Connection, town: Town) -> None:
    for code, parent, level, ordinal in _tree():
        above = None if parent is None else town.spans[parent]
        town.spans[code] = child_span(above, level, ordinal)
        town.areas[code] = town.put("area", code)
        row = {"id": town.areas[code], "code": code, "name": f"Area {code}", "level": level}
        span = town.spans[code]
        where = {"parent_id": town.areas.get(parent or ""), "lo": span.lo, "hi": span.hi}
        db.execute(insert(Area).values(**row, **where))
        if level == 5:
            town.named.setdefault("grid", []).append(town.areas[code])


def _account(
    db: Connection, town: Town, login: str, role: Role, codes: Sequence[str]
) -> Person:
    then = now_ms() - DAY_MS
    account = create_account(db, login=login, role=role, area_code=codes[0], now_ms=then)
    for code in codes[1:]:
        assign(db, account=account, area=town.areas[code], now_ms=then)
    return Person(
        login=login,
        role=role,
        account=account,
        token=create_token(db, account=account, now_ms=then, expires_ms=None),
        spans=tuple(town.spans[code] for code in codes),
    )


def _staff(db: Connection, town: Town, chance: Random) -> None:
    """One worker of each grid, and people of every role who answer for whatever it may be."""
    town.boss = _account(db, town, BOSS, Role.DISPATCHER, ["C"])
    for code in town.grids:
        more = chance.sample(
            [each for each in town.grids if each != code], chance.randint(0, 2)
        )
        town.people.append(_account(db, town, f"w{code}", Role.WORKER, [code, *more]))
    several = [each for each in town.areas if each != "C"]
    for role in (Role.DISPATCHER, Role.DISPATCHER, Role.ANALYST, Role.ADMIN):
        login = f"{role.value}{len(town.people)}"
        town.people.append(_account(db, town, login, role, [chance.choice(several)]))


def _ground(db: Connection, town: Town, console: Console) -> None:
    drafts = [draft(new_id(), "class", {"code": CLASS, "name": "Rubbish"})]
    for at, code in enumerate(town.grids):
        boundary = square(at)
        fields = {"code": code, "name": f"Grid {code}", "area_m2": round(area_m2(boundary))}
        community = town.areas["N" + code[1:3]]
        fields |= {"community": community, "boundary": encode_boundary(boundary)}
        drafts.append(draft(town.areas[code], "grid", fields))
    done(db, console, drafts)


def settle(
    db: Connection, town: Town, console: Console, codes: Sequence[str]
) -> dict[str, tuple[str, str]]:
    """A home with all that belongs to one in each grid; `(household, resident)` by grid."""
    drafts, made = [], {}
    for code in codes:
        lon, lat = centre_e7(town.grids.index(code))
        dwelling = town.put("dwelling", code)
        fields = {"code": town.mark(code), "address": town.mark(code), "grid": town.areas[code]}
        drafts.append(draft(dwelling, "dwelling", {**fields, "lon_e7": lon, "lat_e7": lat}))
        home, person = town.put("household", code), town.put("resident", code)
        said = {name: town.mark(code, personal=True) for name in ("door", "contact_phone")}
        drafts.append(
            draft(home, "household", {"dwelling": dwelling, "status": "active", **said})
        )
        said = {name: town.mark(code, personal=True) for name in ("name", "phone")}
        drafts.append(draft(person, "resident", {"household": home, **said}))
        text = town.mark(code, personal=True)
        visit = {"household": home, "outcome": "done", "text": text}
        drafts.append(draft(town.put("visit", code), "visit", visit))
        note = {"parent": home, "text": town.mark(code, personal=True)}
        drafts.append(draft(town.put("note", code), "note", note))
        made[code] = home, person
    done(db, console, drafts)
    return made


def _announced(db: Connection, town: Town, console: Console) -> None:
    until = now_ms() + DAY_MS
    drafts = []
    for code in town.areas:
        fields = {"area": town.areas[code], "valid_until_ms": until, "title": town.mark(code)}
        made = town.put("announcement", code)
        drafts.append(draft(made, "announcement", {**fields, "text": town.mark(code)}))
    done(db, console, drafts)


async def _asked(
    client: httpx.AsyncClient, town: Town, path: str, body: Any, rev: int = 0
) -> Any:
    assert town.boss is not None
    headers = bearer(town.boss.token) | ({"if-match": f'"{rev}"'} if rev else {})
    answer = await client.post(path, json=body, headers=headers)
    assert answer.status_code < 300, answer.text
    return answer.json()


async def worked(client: httpx.AsyncClient, town: Town, code: str) -> None:
    """A report of a grid with its incident, and the task that its worker was given."""
    body = report_in(town.grids.index(code), text=town.mark(code))
    report = await _asked(client, town, "/v1/reports", {**body, "class": CLASS})
    incident = report["incident"]
    order = {"assignee": f"w{code}", "instruction": town.mark(code)}
    read = await client.get(f"/v1/incidents/{incident}", headers=bearer(town.boss.token))
    rev = read.json()["rev"]
    given = await _asked(client, town, f"/v1/incidents/{incident}/dispatch", order, rev)
    town.note("report", report["id"], code)
    town.note("incident", incident, code)
    town.note("task", given["task"], code)


async def _said_by_phones(
    client: httpx.AsyncClient, town: Town, homes: Mapping[str, tuple[str, str]]
) -> None:
    """What waits and what is contested: each phone meddles with the home of the next grid."""
    for at, code in enumerate(town.grids):
        person = next(each for each in town.people if each.login == f"w{code}")
        phone = await RawPhone.enrol(client, person.token)
        town.people[town.people.index(person)] = Person(
            **{name: getattr(person, name) for name in Person.__slots__ if name != "phone"},
            phone=phone,
        )
        home = homes[code][0]
        shown = held(await phone.sync())[home]
        door = {"door": town.mark(code, personal=True)}
        patch = {"status": "vacant"}
        headers = bearer(town.boss.token) | {"if-match": f'"{shown["rev"]}"'}
        changed = await client.patch(f"/v1/households/{home}", json=patch, headers=headers)
        assert changed.status_code == 200, changed.text
        other = town.grids[(at + 1) % len(town.grids)]
        meddling = {"door": town.mark(other, personal=True)}
        photo = format(0xABCDEF0000 + at, "064x")
        town.note("media_hash", photo, code)
        lon, lat = centre_e7(at)
        rev = shown["rev"]
        first = [
            phone.change(home, "household", rev, set={"status": "moved_out"}),
            phone.change(home, "household", rev, set=door),
            phone.change(homes[other][0], "household", 1, set=meddling),
        ]
        seen = {**phone.report(lon, lat, text=town.mark(code)), "add": {"media": [photo]}}
        town.note("report", seen["record"], code)
        await phone.sync([*first, seen])


async def _noted(client: httpx.AsyncClient, town: Town) -> None:
    """Remember the ids of what the product itself made: conflicts, what waits, assignments."""
    assert town.boss is not None
    headers = bearer(town.boss.token)
    by_grid = {town.areas[code]: code for code in town.areas}
    homes = {each: town.places[each][0] for each in town.named["household"]}

    def code_at(span: Span) -> str:
        return next(code for code, each in town.spans.items() if each == span)

    async def listed(path: str) -> list[Any]:
        answer = await client.get(path, params={"limit": 100}, headers=headers)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    for each in await listed("/v1/conflicts"):
        town.note("conflict", each["id"], code_at(homes[each["record"]]))
    for each in await listed("/v1/assignments"):
        town.note("assignment", each["id"], by_grid[each["area"]])
    assert await listed("/v1/held")
    assert town.named["conflict"]


async def build(
    client: httpx.AsyncClient, store: Store, chance: Random
) -> tuple[Town, Console]:
    """Build a town on an empty, migrated store."""

    def work(db: Connection) -> tuple[Town, Console, Mapping[str, tuple[str, str]]]:
        made = Town()
        _areas(db, made)
        _staff(db, made, chance)
        importer = create_account(
            db, login="importer", role=Role.ADMIN, area_code="C", now_ms=now_ms()
        )
        by = Console(account=importer, role=Role.ADMIN.value)
        _ground(db, made, by)
        _announced(db, made, by)
        return made, by, settle(db, made, by, made.grids)

    town, console, homes = await store.write(work)
    for code in town.grids:
        await worked(client, town, code)
    await _said_by_phones(client, town, homes)
    await _noted(client, town)
    return town, console
