"""What workers do on their phones, online or not."""

from collections.abc import Callable
from typing import Any

from sync.mutation import Datum, Position
from tests.simulation.acts import Act, Acts, Dice, Told, picked
from tests.simulation.places import GRID_WIDTH_E7
from tests.simulation.world import WORKERS, World

CLAIMS = ("accept", "start", "finish", "not_executable")
WORDS = ("a", "b", "c")
STATES = ("active", "moved_out", "vacant")
EDITS: tuple[Callable[[Dice], dict[str, Any]], ...] = (
    lambda dice: {"contact_phone": dice.one_of((*WORDS, None))},
    lambda dice: {"status": dice.one_of(STATES)},
    lambda dice: {"last_verified_ms": dice.span(0, 5)},
    lambda dice: {"door": dice.one_of(WORDS), "visit_preference": "any"},
)
WRITING_STATEMENTS = 8


def change(dice: Dice) -> dict[str, Any]:
    """Draw what an edit of a household says."""
    return dice.one_of(EDITS)(dice)


def said(members: dict[str, Any]) -> str:
    """Return how a story tells an edit."""
    return ", ".join(f"{name} = {value}" for name, value in members.items())


def _writes(world: World, number: int, left: int | None, work: Callable[[], object]) -> str:
    """Write something down on a phone that may die meanwhile; say how it ended."""
    lived = world.with_power(number, work, left)
    return "" if lived else f", and dies before statement {left} of it"


def edit(world: World, number: int, pick: int, members: dict[str, Any], left: Any) -> Told:
    household = picked(world, number, "household", pick)
    if household is None:
        return None
    phone = world.replicas[number].phone
    ended = _writes(world, number, left, lambda: phone.edit(household, set=members))
    name = world.name("household", household)
    return f"phone {number + 1} sets {said(members)} of {name}{ended}"


def tick(world: World, number: int, pick: int, word: str, there: bool) -> Told:  # noqa: FBT001
    household = picked(world, number, "household", pick)
    if household is None:
        return None
    named = {"languages": [word]}
    add, remove = (named, {}) if there else ({}, named)
    world.replicas[number].phone.edit(household, add=add, remove=remove)
    verb = "ticks" if there else "unticks"
    name = world.name("household", household)
    return f"phone {number + 1} {verb} the language {word} of {name}"


def write_down(world: World, number: int, pick: int, kind: str, left: Any) -> Told:
    household = picked(world, number, "household", pick)
    if household is None:
        return None
    replica = world.replicas[number]
    members = {
        "note": {"parent": household, "text": "seen"},
        "visit": {"household": household, "outcome": "done"},
    }

    def work() -> None:
        replica.facts.add(replica.phone.create(kind, set=members[kind]))

    ended = _writes(world, number, left, work)
    name = world.name("household", household)
    return f"phone {number + 1} writes down a {kind} to {name}{ended}"


def report(world: World, number: int, column: int) -> Told:
    replica = world.replicas[number]
    place = Position(
        lon_e7=column * GRID_WIDTH_E7 + 5, lat_e7=0, datum=Datum.WGS84, accuracy_cm=500
    )
    replica.facts.add(replica.phone.create("report", set={"class": "pipe"}, position=place))
    return f"phone {number + 1} reports a burst pipe at column {column}"


def register_family(world: World, number: int, pick: int) -> Told:
    dwelling = picked(world, number, "dwelling", pick)
    if dwelling is None:
        return None
    record = world.replicas[number].phone.create("household", set={"dwelling": dwelling})
    return f"phone {number + 1} registers {world.name('household', record)}"


def register_person(world: World, number: int, pick: int, word: str) -> Told:
    household = picked(world, number, "household", pick)
    if household is None:
        return None
    members = {"household": household, "name": word}
    record = world.replicas[number].phone.create("resident", set=members)
    home = world.name("household", household)
    return f"phone {number + 1} registers {world.name('resident', record)} in {home}"


def fill_in(world: World, number: int, pick: int, word: str | None, left: Any) -> Told:
    """A family and a person of it in one form; without a word the person has no name."""
    dwelling = picked(world, number, "dwelling", pick)
    if dwelling is None:
        return None
    phone, form = world.replicas[number].phone, f"form-{pick}"
    made: list[str] = []

    def work() -> None:
        made.append(phone.create("household", set={"dwelling": dwelling}, group=form))
        said = {"household": made[0]} | ({} if word is None else {"name": word})
        phone.create("resident", set=said, group=form)

    ended = _writes(world, number, left, work)
    name = world.name("household", made[0]) if made else "a household"
    what = "" if word is not None else ", who has no name,"
    return f"phone {number + 1} registers {name} and a person{what} in one form{ended}"


def claim(world: World, number: int, pick: int, acts: tuple[str, ...]) -> Told:
    task = picked(world, number, "task", pick)
    if task is None:
        return None
    for each in acts:
        world.replicas[number].phone.act(task, each)
        world.advance(60_000)
    return f"phone {number + 1} claims {', '.join(acts)} of {world.name('task', task)}"


def send_nonsense(world: World, number: int) -> Told:
    world.replicas[number].phone.create("household", set={"surprise": 1})
    return f"phone {number + 1} makes a household that nobody can read"


def hand_over(world: World, number: int, to: int | None) -> Told:
    world.replicas[number].phone.hand_over(None if to is None else WORKERS[to])
    whom = "its owner" if to is None else f"worker {to + 1}"
    return f"phone {number + 1} is handed to {whom}"


def _claims(dice: Dice) -> tuple[str, ...]:
    return tuple(dice.one_of(CLAIMS) for _ in range(dice.one_of((1, 1, 2, 3))))


WORKERS_DO: Acts = {
    "edit": Act(
        14, lambda d: (d.phone(), d.pick(), change(d), d.death(0.1, WRITING_STATEMENTS)), edit
    ),
    "tick": Act(5, lambda d: (d.phone(), d.pick(), d.one_of(WORDS), d.happens(0.6)), tick),
    "write_down": Act(
        7,
        lambda d: (
            d.phone(),
            d.pick(),
            d.one_of(("note", "visit")),
            d.death(0.1, WRITING_STATEMENTS),
        ),
        write_down,
    ),
    "report": Act(3, lambda d: (d.phone(), d.span(0, 3)), report),
    "register_family": Act(2, lambda d: (d.phone(), d.pick()), register_family),
    "register_person": Act(
        2, lambda d: (d.phone(), d.pick(), d.one_of(WORDS)), register_person
    ),
    "fill_in": Act(
        2,
        lambda d: (
            d.phone(),
            d.pick(),
            d.one_of((*WORDS, None)),
            d.death(0.1, 2 * WRITING_STATEMENTS),
        ),
        fill_in,
    ),
    "claim": Act(11, lambda d: (d.phone(), d.pick(), _claims(d)), claim),
    "send_nonsense": Act(1, lambda d: (d.phone(),), send_nonsense),
    "hand_over": Act(
        1, lambda d: (d.phone(), d.one_of((None, None, *range(d.phones)))), hand_over
    ),
}
