"""A server's memory around the pure core, for vectors: records, devices, settled mutations."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sync.canonical import canonical, record_body, record_hash
from sync.clock import offset_of
from sync.known import Author, DeviceState, Interval, Known, Located, Plan, Settled
from sync.members import Members
from sync.mutation import Malformed, Mutation
from sync.push import plan_push, references
from sync.record import Record
from sync.rfc3339 import format_wall
from sync.state import state_of
from sync.wire import decode_mutation
from sync.wire_mutation import group_of, read_clock

START_MS = 1_795_392_000_000
BOOTED_MS = START_MS - 3_600_000


def made_id(number: int) -> str:
    """Return an id of the form that phones make, the same for the same number."""
    return f"01930000-0000-7000-8000-{number:012x}"


def clock_at(at_ms: int) -> dict[str, Any]:
    """Return what the clocks of a phone that is right show at a time, as the wire writes it."""
    return {"wall": format_wall(at_ms), "uptime_ms": at_ms - BOOTED_MS, "boot": "boot-1"}


@dataclass(kw_only=True)
class Party:
    """Somebody with a device; `assigned` says when the account held each bucket."""

    name: str
    device: str
    account: str
    console: bool = False
    assigned: Mapping[str, tuple[Interval, ...]] = field(default_factory=dict)
    n: int = 0

    @property
    def author(self) -> Author:
        """The party as the core knows it."""
        return Author(
            device=self.device,
            account=self.account,
            role="dispatcher" if self.console else "worker",
            console=self.console,
            home_bucket=f"user:{self.account}",
        )

    def next(self, record: str, kind: str, base: int = 0, **rest: Any) -> dict[str, Any]:
        """Return the party's next mutation as the wire writes it, without its clock."""
        self.n += 1
        return {"n": self.n, "record": record, "kind": kind, "base": base, **rest}


@dataclass(kw_only=True)
class Town:
    """What a server remembers between calls, and the calls that were made."""

    records: dict[str, Record] = field(default_factory=dict)
    devices: dict[str, DeviceState] = field(default_factory=dict)
    settled: dict[tuple[str, int], Settled] = field(default_factory=dict)
    calls: list[dict[str, Any]] = field(default_factory=list)
    minutes: int = 0

    def call(
        self,
        lesson: str,
        party: Party,
        *mutations: Mapping[str, Any],
        located: Mapping[int, Located] | None = None,
    ) -> None:
        """Let a party send mutations; each call is a minute after the one before."""
        self.minutes += 1
        received_ms = START_MS + self.minutes * 60_000
        sent = [self._timed(party, each, received_ms - 10_000) for each in mutations]
        batch = [_decoded(party, each) for each in sent]
        clock = None if party.console else clock_at(received_ms)
        plan = plan_push(
            self._known(party, batch, located or {}),
            batch,
            author=party.author,
            send=None if clock is None else read_clock(Members(clock)),
            received_ms=received_ms,
        )
        self._store(party, plan, received_ms=received_ms)
        said: dict[str, Any] = {"lesson": lesson, "author": party.name, "clock": clock}
        said |= {"received_ms": received_ms, "mutations": sent}
        if located:
            said["located"] = {str(n): _place(each) for n, each in located.items()}
        said["settled_through"] = plan.settled_through
        said["answers"] = [_answer(each) for each in plan.answers]
        said["written"] = [_written(each) for _, each in sorted(plan.writes.items())]
        self.calls.append(said)

    def _timed(self, party: Party, mutation: Mapping[str, Any], at_ms: int) -> dict[str, Any]:
        if party.console or "clock" in mutation:
            return dict(mutation)
        return {**mutation, "clock": clock_at(at_ms)}

    def revoke(self, party: Party) -> None:
        """Revoke the party's device."""
        state = self.devices.get(party.device) or _fresh()
        self.devices[party.device] = replace(state, revoked=True)

    def _known(
        self, party: Party, batch: list[Mutation | Malformed], located: Mapping[int, Located]
    ) -> Known:
        readable = [each for each in batch if isinstance(each, Mutation)]
        found: dict[str, Record] = {}
        while wanted := references(readable, found, device=party.device) & self.records.keys():
            found |= {each: self.records[each] for each in wanted}
        return Known(
            device=self.devices.get(party.device) or _fresh(),
            settled={n: each for (who, n), each in self.settled.items() if who == party.device},
            records=found,
            authority=party.assigned,
            located=located,
            group=self._group_of_last(party),
        )

    def _group_of_last(self, party: Party) -> str | None:
        state = self.devices.get(party.device) or _fresh()
        last = self.settled.get((party.device, state.settled_through))
        return None if last is None else group_of(last.body)

    def _store(self, party: Party, plan: Plan, *, received_ms: int) -> None:
        before = self.devices.get(party.device) or _fresh()
        self.records |= plan.writes
        self.settled |= {(party.device, each.n): each for each in plan.settled}
        sent = read_clock(Members(clock_at(received_ms)))
        self.devices[party.device] = replace(
            before,
            settled_through=plan.settled_through,
            flagged=plan.flagged,
            floor_ms=max([before.floor_ms, *(each.at_ms for each in plan.settled)]),
            last_contact_ms=received_ms,
            last_n=party.n,
            offset_ms=offset_of(sent, received_ms),
        )


def _fresh() -> DeviceState:
    return DeviceState(
        settled_through=0,
        flagged=False,
        revoked=False,
        floor_ms=0,
        last_contact_ms=None,
        last_n=0,
        offset_ms=None,
    )


def _decoded(party: Party, mutation: Mapping[str, Any]) -> Mutation | Malformed:
    """Read a mutation; a console's has no clock."""
    if not party.console:
        return decode_mutation(dict(mutation))
    read = decode_mutation({**mutation, "clock": clock_at(START_MS)})
    if isinstance(read, Malformed):
        return read
    return replace(read, clock=None, body=canonical(dict(mutation)))


def _place(located: Located) -> dict[str, Any]:
    return {
        "grid": located.grid,
        "lon_e7": located.lon_e7,
        "lat_e7": located.lat_e7,
        "certain": located.certain,
    }


def _answer(settled: Settled) -> dict[str, Any]:
    answer = {
        "n": settled.n,
        "record": settled.ended_at,
        "outcome": settled.outcome.value,
        "code": None if settled.code is None else settled.code.value,
        "detail": settled.field,
        "rev": settled.rev,
        "replayed": settled.replayed or None,
        "at_ms": settled.at_ms,
        "quality": settled.quality.value,
    }
    return {name: value for name, value in answer.items() if value is not None}


def _written(record: Record) -> dict[str, Any]:
    state = state_of(record)
    return {
        "record": record.id,
        "kind": record.kind,
        "bucket": record.bucket,
        "rev": record.rev,
        "hash": record_hash(record_body(record.id, record.kind, record.rev, state)),
        "state": state,
    }
