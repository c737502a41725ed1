"""What the two dispatchers do at their desks."""

from typing import Any

from sync.state import open_conflicts
from tests.simulation.acts import Act, Acts, Dice, Told, on_server
from tests.simulation.acts_workers import change, said
from tests.simulation.city import GRIDS
from tests.simulation.model import CONSOLE, OTHER_CONSOLE
from tests.simulation.world import WORKERS, World

DESKS = (CONSOLE, OTHER_CONSOLE)
ABOUT_INCIDENTS = ("register", "verify", "close", "reopen", "void", "reject")
ABOUT_TASKS = ("confirm", "rework", "withdraw")


def correct(world: World, desk: int, pick: int, members: dict[str, Any], behind: int) -> Told:
    household = on_server(world, "household", pick)
    if household is None:
        return None
    rev = max(1, world.server.records[household].rev - behind)
    _ask(world, desk, household, base=rev, set=members)
    name = world.name("household", household)
    return f"dispatcher {desk + 1} sets {said(members)} of {name}, seen at revision {rev}"


def redraw(world: World, desk: int, pick: int, column: int) -> Told:
    household = on_server(world, "household", pick)
    if household is None:
        return None
    _ask(world, desk, household, set={"grid": GRIDS[column]})
    name = world.name("household", household)
    return f"dispatcher {desk + 1} moves {name} into grid {column + 1}"


def dispatch(world: World, desk: int, pick: int, worker: int) -> Told:
    incident = on_server(world, "incident", pick)
    if incident is None:
        return None
    task = world.city.new_id()
    args = {"task": task, "assignee": WORKERS[worker]}
    _ask(world, desk, incident, act="dispatch", args=args)
    name, made = world.name("incident", incident), world.name("task", task)
    return f"dispatcher {desk + 1} dispatches {name} to worker {worker + 1} as {made}"


def decide(world: World, desk: int, pick: int, act: str, passed: bool) -> Told:  # noqa: FBT001
    incident = on_server(world, "incident", pick)
    if incident is None:
        return None
    args: dict[str, Any] = {"text": "because"}
    if act == "verify":
        args["result"] = "pass" if passed else "fail"
    _ask(world, desk, incident, act=act, args=args)
    return f"dispatcher {desk + 1}: {act} {world.name('incident', incident)}"


def steer(world: World, desk: int, pick: int, act: str) -> Told:
    task = on_server(world, "task", pick)
    if task is None:
        return None
    _ask(world, desk, task, act=act)
    return f"dispatcher {desk + 1}: {act} {world.name('task', task)}"


def hand_on(world: World, desk: int, pick: int, worker: int) -> Told:
    task = on_server(world, "task", pick)
    if task is None:
        return None
    _ask(world, desk, task, act="assign", args={"assignee": WORKERS[worker]})
    return f"dispatcher {desk + 1} gives {world.name('task', task)} to worker {worker + 1}"


def resolve(world: World, desk: int, pick: int) -> Told:
    open_ones = [
        (each.id, conflict)
        for each in sorted(world.server.records.values(), key=lambda each: each.id)
        for conflict in open_conflicts(each)
    ]
    if not open_ones:
        return None
    record, conflict = open_ones[pick % len(open_ones)]
    value = conflict.values[pick % len(conflict.values)].value
    _ask(world, desk, record, act="resolve", args={"field": conflict.field, "value": value})
    name = world.name(world.server.records[record].kind, record)
    return f"dispatcher {desk + 1} chooses {value} for the {conflict.field} of {name}"


def merge(world: World, desk: int, pick: int, other: int) -> Told:
    one, two = on_server(world, "household", pick), on_server(world, "household", other)
    if one is None or two is None:
        return None
    _ask(world, desk, one, act="merge_into", args={"into": two, "text": "the same family"})
    names = [world.name("household", each) for each in (one, two)]
    return f"dispatcher {desk + 1} says that {names[0]} is {names[1]}"


def reassign(world: World, worker: int, column: int, held: bool) -> Told:  # noqa: FBT001
    change_grids = world.assign if held else world.unassign
    change_grids(WORKERS[worker], GRIDS[column])
    verb = "gets" if held else "loses"
    return f"worker {worker + 1} {verb} grid {column + 1}"


def _ask(world: World, desk: int, record: str, **members: Any) -> None:
    known = world.server.records[record]
    members.setdefault("base", known.rev)
    world.decide(console=DESKS[desk], record=record, kind=known.kind, **members)


def _desk(dice: Dice) -> tuple[int, int]:
    return dice.span(0, 1), dice.pick()


OFFICE_DOES: Acts = {
    "correct": Act(7, lambda d: (*_desk(d), change(d), d.span(0, 3)), correct),
    "redraw": Act(4, lambda d: (*_desk(d), d.span(0, 2)), redraw),
    "dispatch": Act(3, lambda d: (*_desk(d), d.phone()), dispatch),
    "decide": Act(4, lambda d: (*_desk(d), d.one_of(ABOUT_INCIDENTS), d.happens(0.5)), decide),
    "steer": Act(3, lambda d: (*_desk(d), d.one_of(ABOUT_TASKS)), steer),
    "hand_on": Act(2, lambda d: (*_desk(d), d.phone()), hand_on),
    "resolve": Act(3, _desk, resolve),
    "merge": Act(2, lambda d: (*_desk(d), d.pick()), merge),
    "reassign": Act(5, lambda d: (d.phone(), d.span(0, 2), d.happens(0.55)), reassign),
}
