"""What nobody does: networks, clocks, batteries, disks, and the loss of a whole server."""

from typing import Any

from clients.phone.phone import EnrolmentRefused
from sync.canonical import record_body
from tests.simulation.acts import Act, Acts, Told
from tests.simulation.links import Mishap
from tests.simulation.model import START_MS
from tests.simulation.world import World

YEAR_MS = 365 * 86_400_000
CLOCKS = {
    "1970": 0,
    "ten years ahead": START_MS + 10 * YEAR_MS,
    "right": None,
}


def sync(world: World, number: int, mishaps: tuple[Mishap, ...], left: int | None) -> Told:
    replica = world.replicas[number]
    replica.link.coming.extend(mishaps)
    report = world.sync(number, left)
    replica.link.coming.clear()
    weather = ", ".join(each.trouble.value.replace("-", " ") for each in mishaps)
    told = f"phone {number + 1} syncs" + (f" ({weather})" if weather else "")
    if report is None:
        return f"{told} and dies before statement {left}"
    if report.identity_doubtful or (report.failure and report.failure.status == 401):
        _enrol(world, number)
        return f"{told}; its identity is doubtful, it enrols again"
    if report.failure is not None:
        return f"{told}; it fails: {report.failure.slug}"
    outcomes = [each.outcome.value for each in report.outcomes.values()]
    return f"{told}; {', '.join(outcomes) or 'nothing'} came of its work"


def _enrol(world: World, number: int) -> None:
    replica = world.replicas[number]
    try:
        replica.phone.enrol("", replica.worker)
    except EnrolmentRefused:
        return


def wait(world: World, span_s: int) -> Told:
    world.advance(span_s * 1000)
    return f"{span_s // 60} minutes pass"


def set_clock(world: World, number: int, to: str, shift_s: int) -> Told:
    clock = world.replicas[number].clock
    wall_ms = CLOCKS.get(to)
    if to == "right":
        clock.set_wall(world.server.now_ms)
    elif wall_ms is not None:
        clock.set_wall(wall_ms)
    else:
        clock.set_wall(max(0, clock.wall_ms + shift_s * 1000))
    told = f"jumps by {shift_s} s" if to == "jump" else f"is set: {to}"
    return f"the clock of phone {number + 1} {told}"


def die(world: World, number: int, reboot: bool) -> Told:  # noqa: FBT001
    replica = world.replicas[number]
    if reboot:
        replica.reboot()
        return f"phone {number + 1} reboots"
    replica.die()
    return f"the app of phone {number + 1} is killed"


def rot(world: World, number: int, pick: int) -> Told:
    replica = world.replicas[number]
    store = replica.phone._store
    held = store.held_of_kind(None)
    if not held:
        return None
    one = held[pick % len(held)]
    body = record_body(one.record, one.kind, one.rev, {})
    store._db.execute("UPDATE record SET body = ? WHERE id = ?", (body, one.record))
    replica.damaged = True
    return f"the memory of phone {number + 1} forgets what is in {_name(world, one)}"


def _name(world: World, held: Any) -> str:
    return world.name(held.kind, held.record)


def new_identity(world: World, number: int) -> Told:
    _enrol(world, number)
    return f"phone {number + 1} enrols again"


def clog(world: World, number: int, stopped: bool) -> Told:  # noqa: FBT001
    link = world.replicas[number].link
    if link.clogged == stopped:
        return None
    link.clogged = stopped
    return f"the link of phone {number + 1} {'stops' if stopped else 'works again'}"


def arrive_late(world: World, number: int, pick: int) -> Told:
    if not world.replicas[number].link.deliver(pick):
        return None
    return f"an old request of phone {number + 1} arrives at last"


def keep_copy(world: World, number: int) -> Told:
    world.replicas[number].keep_copy()
    return f"somebody copies the memory of phone {number + 1}"


def put_back(world: World, number: int) -> Told:
    if not world.replicas[number].put_back(world.server.records):
        return None
    world.watches[number].forget()
    return f"the memory of phone {number + 1} is put back from its copy"


def back_up(world: World) -> Told:
    world.back_up()
    return "the server is backed up"


def restore(world: World) -> Told:
    return "the server is lost and restored from its backup" if world.restore() else None


NATURE_DOES: Acts = {
    "sync": Act(34, lambda d: (d.phone(), d.mishaps(), d.death(0.15)), sync),
    "wait": Act(5, lambda d: (d.one_of((60, 3_600, 100_000)) * d.span(1, 3) // 2,), wait),
    "set_clock": Act(
        4,
        lambda d: (
            d.phone(),
            d.one_of((*CLOCKS, "jump", "jump")),
            d.span(-(10**6), 10**6),
        ),
        set_clock,
    ),
    "die": Act(3, lambda d: (d.phone(), d.happens(0.5)), die),
    "rot": Act(2, lambda d: (d.phone(), d.pick()), rot),
    "new_identity": Act(1, lambda d: (d.phone(),), new_identity),
    "clog": Act(0, lambda d: (d.phone(), True), clog),
    "arrive_late": Act(4, lambda d: (d.phone(), d.pick()), arrive_late),
    "keep_copy": Act(1, lambda d: (d.phone(),), keep_copy),
    "put_back": Act(1, lambda d: (d.phone(),), put_back),
    "back_up": Act(3, lambda _: (), back_up),
    "restore": Act(2, lambda _: (), restore),
}
