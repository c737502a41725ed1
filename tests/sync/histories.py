"""Random histories of several devices, as Hypothesis draws them."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from hypothesis import strategies as st

from sync.mutation import Mutation
from sync.push import Located
from tests.sync.backend import (
    DWELLING,
    END,
    GRID,
    HOUR,
    HOUSEHOLD,
    OTHER_GRID,
    START,
    Backend,
    Device,
    at,
    town,
    uid,
)

PHONES = ("anna", "bo", "chen")
STRANGER = "dora"
OFFICES = ("office", "another office")
INCIDENT, TASK = uid("incident"), uid("task")
PHONE_VALUES = {
    "contact_phone": st.none() | st.sampled_from(["1", "2", "3"]),
    "status": st.sampled_from(["active", "moved_out", "vacant"]),
    "size_band": st.sampled_from(["1", "2"]),
    "door": st.sampled_from(["a", "b"]),
}
CLAIMS = ("accept", "start", "finish", "not_executable")
PLACE = Located(grid=GRID, lon_e7=1_165_900_000, lat_e7=398_900_000, certain=True)


@dataclass
class Step:
    """One mutation of a device, to be pushed in any order that keeps the device's own."""

    device: Device
    mutation: Mutation
    located: Located | None = None


def busy_town() -> Backend:
    """A town with an incident whose task was assigned to each phone's worker in turn.

    One more phone belongs to somebody who was never assigned to anything.
    """
    return _busy_town().copy()


@cache
def _busy_town() -> Backend:
    backend = town()
    backend.strangers = frozenset({Device(STRANGER).account})
    office = Device("casework office", console=True)
    backend.do(office, INCIDENT, "incident", set={"class": "leak", "grid": GRID})
    backend.do(
        office,
        INCIDENT,
        "incident",
        act="dispatch",
        args={"task": TASK, "assignee": Device(PHONES[0]).account},
    )
    for phone in PHONES[1:]:
        backend.do(office, TASK, "task", act="assign", args={"assignee": Device(phone).account})
    return backend


def changes(draw: st.DrawFn, values: dict[str, Any]) -> dict[str, Any]:
    """What a household edit says: some fields, some languages in, some out."""
    names = draw(st.lists(st.sampled_from(sorted(values)), unique=True, max_size=2))
    said: dict[str, Any] = {"set": {name: draw(values[name]) for name in names}}
    spoken = draw(st.lists(st.sampled_from(["yue", "cmn", "wuu"]), unique=True, max_size=2))
    cut = draw(st.integers(0, len(spoken)))
    said["add"] = {"languages": tuple(spoken[:cut])}
    said["remove"] = {"languages": tuple(spoken[cut:])}
    return said


def of_an_office(draw: st.DrawFn, device: Device, base: int, at_ms: int) -> Step:
    """A household is put away, brought back, or moved to another grid."""
    act = draw(st.sampled_from([None, "archive", "restore"]))
    said: dict[str, Any] = {"act": act, "args": {"text": "why"}}
    if act is None:
        said = {"set": {"grid": draw(st.sampled_from([GRID, OTHER_GRID]))}}
    made = device.mutation(HOUSEHOLD, "household", at_ms=at_ms, base=base, **said)
    return Step(device, made)


def step(draw: st.DrawFn, device: Device, bases: dict[str, int], at_ms: int) -> Step:
    """One more mutation of a device that saw each record at one of its revisions."""
    what = draw(st.sampled_from(["edit", "edit", "claim", "report", "visit", "note", "own"]))
    if device.console and draw(st.booleans()):
        return of_an_office(draw, device, bases[HOUSEHOLD], at_ms)
    fresh = uid("made", device.name, device.n)
    if what == "claim":
        said = {"act": draw(st.sampled_from(CLAIMS)), "args": {"result": f"by {device.name}"}}
        return Step(
            device, device.mutation(TASK, "task", at_ms=at_ms, base=bases[TASK], **said)
        )
    if what == "report":
        fields = {"class": "leak", "text": "water"}
        named = draw(st.sampled_from([None, INCIDENT, HOUSEHOLD, uid("no incident")]))
        if named is not None:
            fields["incident"] = named
        made = device.mutation(fresh, "report", at_ms=at_ms, set=fields, position=at())
        return Step(device, made, located=PLACE)
    if what == "visit":
        fields = {"household": HOUSEHOLD, "outcome": "done"}
        return Step(device, device.mutation(fresh, "visit", at_ms=at_ms, set=fields))
    if what == "note":
        fields = {"parent": draw(st.sampled_from([HOUSEHOLD, TASK, DWELLING])), "text": "!"}
        return Step(device, device.mutation(fresh, "note", at_ms=at_ms, set=fields))
    changed: dict[str, Any] = changes(draw, PHONE_VALUES)
    if what == "own":
        own = uid("own household", device.name)
        changed["set"]["dwelling"] = DWELLING
        return Step(device, device.mutation(own, "household", at_ms=at_ms, **changed))
    made = device.mutation(
        HOUSEHOLD, "household", at_ms=at_ms, base=bases[HOUSEHOLD], **changed
    )
    return Step(device, made)


@st.composite
def histories(draw: st.DrawFn, *, steps_max: int = 8) -> list[Step]:
    """What several devices did, each in its own order, having seen revisions of a busy town."""
    seen = {record.id: record.rev for record in busy_town().records().values()}
    devices = [Device(name) for name in (*PHONES, STRANGER)]
    devices += [Device(name, console=True) for name in OFFICES]
    bases = {device.name: {TASK: 1, HOUSEHOLD: 1} for device in devices}
    history = []
    hours = {device.name: 1 for device in devices}
    for _ in range(draw(st.integers(1, steps_max))):
        device = draw(st.sampled_from(devices))
        for record, base in bases[device.name].items():
            bases[device.name][record] = draw(st.integers(base, seen[record]))
        hours[device.name] += draw(st.integers(0, 2))
        at_ms = START + hours[device.name] * HOUR
        history.append(step(draw, device, bases[device.name], at_ms))
    return history


def replay(history: list[Step], backend: Backend) -> Backend:
    """Push each step by itself."""
    for each in history:
        located = {} if each.located is None else {each.mutation.n: each.located}
        backend.push(each.device, each.mutation, located=located, received_ms=END)
    return backend


def reordered(draw: Any, history: list[Step]) -> list[Step]:
    """The same steps in another order that keeps each device's own."""
    order = draw(st.permutations([each.device.name for each in history]))
    lanes = {name: [each for each in history if each.device.name == name] for name in order}
    return [lanes[name].pop(0) for name in order]
