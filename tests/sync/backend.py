"""A server's memory around the pure core, and devices that talk to it.

Records pass through their stored form between pushes, as they do in a database, and everything
settled is remembered so that the history can be folded again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from sync.canonical import canonical
from sync.codec import decode_record, encode_record
from sync.fold import Entry
from sync.ids import derived_id
from sync.mutation import ClockReading, Datum, Malformed, Mutation, Position
from sync.outcome import Code, Outcome
from sync.push import (
    Acting,
    Author,
    DeviceState,
    Held,
    Interval,
    Known,
    Located,
    Plan,
    Settled,
    plan_push,
    references,
)
from sync.record import Record
from sync.release import RELEASE, Ruling, Why, is_ruling, released, ruling_args, ruling_of
from sync.state import is_archived, merged_into, open_conflicts, state_of
from tests.sync.followers import followers
from tests.sync.revisions import check_revisions

HOUR = 3_600_000
START = 1_790_000_000_000
END = START + 1_000 * HOUR
WITHOUT_EFFECT = frozenset({Outcome.HELD, Outcome.INVALID, Outcome.QUARANTINED})
ALWAYS = (Interval(lo_ms=0, hi_ms=None),)


class Everywhere(dict[str, tuple[Interval, ...]]):
    """Authority over every bucket at all times."""

    def get(self, _bucket, _default=None):  # type: ignore[explicit-override]
        return ALWAYS


def uid(*parts: str | int) -> str:
    return derived_id("test", *parts)


@dataclass
class Device:
    """One device: it numbers mutations and reads its clocks; `at` is the true time."""

    name: str
    account: str = ""
    console: bool = False
    boot: str = "boot-1"
    wall_offset_ms: int = 0
    n: int = 0

    def __post_init__(self) -> None:
        self.id = uid("device", self.name)
        self.account = self.account or uid("account", self.name)

    @property
    def author(self) -> Author:
        return Author(
            device=self.id,
            account=self.account,
            role="leader" if self.console else "worker",
            console=self.console,
            home_bucket=f"user:{self.account}",
        )

    def clock(self, at_ms: int) -> ClockReading:
        return ClockReading(
            wall_ms=at_ms + self.wall_offset_ms, uptime_ms=at_ms - START, boot=self.boot
        )

    def mutation(self, record: str, kind: str, *, at_ms: int = START, **rest: Any) -> Mutation:
        """The next mutation of this device, made at the true time `at_ms`."""
        self.n += 1
        body = {"n": self.n, "record": record, "kind": kind}
        said = {key: each for key, each in rest.items() if key != "position"}
        clock = None if self.console else self.clock(at_ms)
        return Mutation(
            n=self.n,
            record=record,
            kind=kind,
            base=rest.pop("base", 0),
            body=canonical({**body, "at": at_ms, "said": said}),
            clock=clock,
            **rest,
        )


def at(lon_e7: int = 1_166_000_000, lat_e7: int = 399_000_000) -> Position:
    return Position(lon_e7=lon_e7, lat_e7=lat_e7, datum=Datum.GCJ02, accuracy_cm=800)


@dataclass
class Backend:
    """Records, devices and history of a server, in memory.

    `authority` holds for every account but those of `strangers`, who were never assigned to
    anything.
    """

    stored: dict[str, tuple[str, str, str, int, str]] = field(default_factory=dict)
    devices: dict[str, DeviceState] = field(default_factory=dict)
    answers: dict[tuple[str, int], Settled] = field(default_factory=dict)
    history: list[Entry] = field(default_factory=list)
    groups: dict[str, str | None] = field(default_factory=dict)
    authority: Mapping[str, Any] = field(default_factory=Everywhere)
    strangers: frozenset[str] = frozenset()
    waiting: dict[tuple[str, int], Held] = field(default_factory=dict)
    actors: dict[str, Acting] = field(default_factory=dict)

    def copy(self) -> "Backend":
        return Backend(
            stored=dict(self.stored),
            devices=dict(self.devices),
            answers=dict(self.answers),
            history=list(self.history),
            groups=dict(self.groups),
            authority=self.authority,
            strangers=self.strangers,
            waiting=dict(self.waiting),
            actors=dict(self.actors),
        )

    def record(self, record_id: str) -> Record | None:
        row = self.stored.get(record_id)
        return None if row is None else decode_record(*row)

    def records(self) -> dict[str, Record]:
        return {each: decode_record(*row) for each, row in self.stored.items()}

    def gather(self, batch: Iterable[Any], device: str = "") -> dict[str, Record]:
        """What deciding a batch may need: what it refers to, and all below what may move."""
        mutations = [each for each in batch if isinstance(each, Mutation)]
        found: dict[str, Record] = {}
        asked: set[str] = set()
        while wanted := references(mutations, found, device=device) - asked:
            asked |= wanted
            rows = (self.record(each) for each in wanted)
            found |= {each.id: each for each in rows if each is not None}
        return found | followers(mutations, self.records)

    def push(
        self,
        device: Device,
        *batch: Mutation | Malformed,
        received_ms: int = END,
        located: Mapping[int, Located] | None = None,
        doubtful: frozenset[int] = frozenset(),
        send: ClockReading | None = None,
        last_n: int | None = None,
    ) -> Plan:
        """One call of a device, stored; the send clock is read when the call is received."""
        state = self.devices.get(device.id) or fresh()
        held = self._held_of(device, batch)
        known = Known(
            device=state,
            settled={
                n: each for (owner, n), each in self.answers.items() if owner == device.id
            },
            records=self.gather([*batch, *_let_go(batch, held)], device.id),
            authority={} if device.account in self.strangers else self.authority,
            located=located or {},
            doubtful=doubtful,
            group=self.groups.get(device.id),
            actors=self.actors,
            held=held,
        )
        plan = plan_push(
            known,
            batch,
            author=device.author,
            send=None if device.console else send or device.clock(received_ms),
            received_ms=received_ms,
        )
        self._store(device, plan)
        self.devices[device.id] = replace(
            state,
            settled_through=plan.settled_through,
            flagged=plan.flagged,
            floor_ms=max([state.floor_ms, *(each.at_ms for each in plan.settled)]),
            last_contact_ms=received_ms,
            last_n=device.n if last_n is None else last_n,
        )
        self._remember(device, batch, plan, located or {})
        if len(batch) == 1 and plan.settled:
            self._check(device, batch[0], plan)
        return plan

    def _check(self, device: Device, only: Mutation | Malformed, plan: Plan) -> None:
        ended_at = [each.ended_at or each.record or "" for each in plan.settled]
        now = self.record(*ended_at) if isinstance(only, Mutation) else None
        codes = {each.code for each in plan.settled}
        stranger = device.account in self.strangers or Code.NOT_ASSIGNED in codes
        check_revisions(device.id, only, plan, now, stranger=stranger)

    def _held_of(self, device: Device, batch: Sequence[Any]) -> dict[int, Held]:
        """By n, what the rulings of a batch are about."""
        rulings = [
            each
            for each in batch
            if isinstance(each, Mutation) and is_ruling(device.author, each)
        ]
        cited = {each.n: ruling_of(each) for each in rulings}
        return {
            n: self.waiting[ruling.device, ruling.n]
            for n, ruling in cited.items()
            if (ruling.device, ruling.n) in self.waiting
        }

    def _wait(self, author: Author, mutation: Mutation, settled: Settled) -> None:
        """Keep what has no effect yet; note what its author says about the record since."""
        if is_ruling(author, mutation):
            if settled.outcome not in WITHOUT_EFFECT and settled.code is not Code.WRONG_STATE:
                ruling = ruling_of(mutation)
                ended = self.waiting[ruling.device, ruling.n]
                self.waiting[ruling.device, ruling.n] = replace(ended, waits=False)
                if mutation.act == RELEASE:
                    self._tell(ended.author.device, ended.mutation)
        elif settled.outcome in {Outcome.HELD, Outcome.QUARANTINED}:
            self.waiting[author.device, mutation.n] = Held(
                author=author,
                mutation=mutation,
                at_ms=settled.at_ms,
                quality=settled.quality,
                authority={} if author.account in self.strangers else self.authority,
            )
        elif settled.outcome is not Outcome.INVALID:
            self._tell(author.device, mutation)

    def _tell(self, device: str, taken: Mutation) -> None:
        for (owner, n), each in self.waiting.items():
            if owner == device and n < taken.n and each.mutation.record == taken.record:
                self.waiting[owner, n] = replace(each, later=(*each.later, taken))

    def rule(
        self, office: Device, owner: Device, n: int, *, act: str = RELEASE, **said: Any
    ) -> Settled:
        """An office's ruling about the mutation `n` of another device, pushed at once."""
        held = self.waiting[owner.id, n]
        located = said.pop("located", None)
        base = said.pop("base", held.mutation.base)
        ruling = Ruling(device=owner.id, n=n, why=said.pop("why", Why.PERSON), **said)
        made = office.mutation(
            held.mutation.record,
            held.mutation.kind,
            base=base,
            act=act,
            args=ruling_args(ruling),
        )
        plan = self.push(office, made, located={made.n: located} if located else None)
        return plan.answers[0]

    def _store(self, device: Device, plan: Plan) -> None:
        for each in plan.writes.values():
            before = plan.before[each.id]
            now = self.record(each.id)
            assert (before and before.rev) == (now and now.rev)
            truth = encode_record(each)
            self.stored[each.id] = (each.id, each.kind, each.bucket, each.rev, truth)
            assert self.record(each.id) == each
        for settled in plan.settled:
            assert (device.id, settled.n) not in self.answers
            self.answers[device.id, settled.n] = settled

    def _remember(
        self, device: Device, batch: Sequence[Any], plan: Plan, located: Mapping[int, Located]
    ) -> None:
        by_n = {each.n: each for each in reversed(batch)}
        for settled in plan.settled:
            self.groups[device.id] = by_n[settled.n].group
            if isinstance(by_n[settled.n], Mutation):
                self._wait(device.author, by_n[settled.n], settled)
                self.history.append(
                    Entry(
                        author=device.author,
                        mutation=by_n[settled.n],
                        at_ms=settled.at_ms,
                        quality=settled.quality,
                        outcome=settled.outcome,
                        code=settled.code,
                        located=located.get(settled.n),
                    )
                )

    def do(self, device: Device, record: str, kind: str, **rest: Any) -> Settled:
        """One mutation made and pushed at once on the present revision, and its outcome."""
        located = {device.n + 1: rest.pop("located")} if "located" in rest else None
        received_ms = rest.pop("received_ms", END)
        now = self.record(record)
        rest.setdefault("base", 0 if now is None else now.rev)
        rest.setdefault("at_ms", received_ms)
        mutation = device.mutation(record, kind, **rest)
        plan = self.push(device, mutation, received_ms=received_ms, located=located)
        return plan.answers[0]

    def state(self, record_id: str) -> dict[str, Any]:
        record = self.record(record_id)
        assert record is not None
        return state_of(record)


def _let_go(batch: Iterable[Any], held: Mapping[int, Held]) -> list[Mutation]:
    acts = [each for each in batch if each.n in held]
    return [released(held[each.n].mutation, each) for each in acts]


def fresh(**changes: Any) -> DeviceState:
    state = DeviceState(
        settled_through=0,
        flagged=False,
        revoked=False,
        floor_ms=0,
        last_contact_ms=None,
        last_n=0,
        offset_ms=None,
    )
    return replace(state, **changes)


def view(records: Mapping[str, Record]) -> dict[str, Any]:
    """What people see of all records, with open conflicts and their values; without revs.

    Of a merged record they see no more than what it was merged into.
    """
    return {
        each.id: merged_into(each)
        or (
            each.kind,
            each.bucket,
            is_archived(each),
            state_of(each),
            {
                one.field: (frozenset(head.value for head in one.values), one.live)
                for one in open_conflicts(each)
            },
        )
        for each in records.values()
    }


def outcomes(plan: Plan) -> list[Outcome]:
    return [each.outcome for each in plan.answers]


GRID, OTHER_GRID = uid("grid", 1), uid("grid", 2)
DWELLING, HOUSEHOLD = uid("dwelling"), uid("household")


def town() -> Backend:
    """Two grids, a dwelling in the first and a household in it."""
    return _town().copy()


@cache
def _town() -> Backend:
    backend = Backend()
    office = Device("town office", console=True)
    for grid in (GRID, OTHER_GRID):
        backend.do(office, grid, "grid", set=grid_fields())
    backend.do(
        office,
        DWELLING,
        "dwelling",
        set={"code": "D1", "address": "Elm 1", "lon_e7": 0, "lat_e7": 0, "grid": GRID},
    )
    made = backend.do(
        office, HOUSEHOLD, "household", set={"dwelling": DWELLING, "contact_phone": "1"}
    )
    assert made.outcome is Outcome.APPLIED
    return backend


def grid_fields() -> dict[str, Any]:
    return {
        "code": "G",
        "name": "Elm",
        "community": uid("community"),
        "boundary": "_p~iF",
        "area_m2": 10_000,
    }
