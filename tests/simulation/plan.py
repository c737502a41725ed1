"""A seed becomes a plan: how many phones, and every step with its numbers, in order."""

from dataclasses import dataclass

from tests.simulation.acts import Acts, Dice, Step
from tests.simulation.acts_nature import NATURE_DOES
from tests.simulation.acts_office import OFFICE_DOES
from tests.simulation.acts_workers import WORKERS_DO

ACTS: Acts = {**WORKERS_DO, **OFFICE_DOES, **NATURE_DOES}
PHONES_MIN = 2
PHONES_MAX = 6
STEPS_MIN = 30
STEPS_MAX = 70
_NAMES = tuple(ACTS)
_WEIGHTS = tuple(each.weight for each in ACTS.values())


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that will happen in a run. `steps` are numbered from 0."""

    seed: int
    phones: int
    steps: tuple[Step, ...]

    def only(self, kept: tuple[int, ...]) -> "Plan":
        """Return the plan with only these steps."""
        return Plan(self.seed, self.phones, tuple(self.steps[each] for each in kept))


def draw_plan(seed: int) -> Plan:
    """Return the plan of a seed, the same one for ever as long as this package is the same."""
    sizes = Dice(seed, PHONES_MAX)
    phones = sizes.span(PHONES_MIN, PHONES_MAX)
    dice = Dice(seed + (1 << 40), phones)
    names = dice.chance.choices(_NAMES, _WEIGHTS, k=dice.span(STEPS_MIN, STEPS_MAX))
    steps = [Step(name, ACTS[name].draw(dice)) for name in names]
    if dice.happens(0.4):
        _swizzle(dice, steps)
    if dice.happens(0.3):
        _go_back(dice, steps)
    return Plan(seed, phones, tuple(steps))


def _go_back(dice: Dice, steps: list[Step]) -> None:
    """Put a phone's memory back from a copy that is one contact old, so that it reuses an n."""
    number, place = dice.phone(), dice.span(0, len(steps))
    contact = Step("sync", (number, (), None))
    names = ("keep_copy", "edit", "sync", "put_back", "edit", "sync")
    drawn = [Step(each, (number, *ACTS[each].draw(dice)[1:])) for each in names]
    steps[place:place] = [contact if each.act == "sync" else each for each in drawn]


def _swizzle(dice: Dice, steps: list[Step]) -> None:
    """Stop links one by one, then let them go in another order; the rarest mistakes show."""
    links = list(range(dice.phones))
    dice.chance.shuffle(links)
    stopped = links[: dice.span(1, dice.phones)]
    released = list(stopped)
    dice.chance.shuffle(released)
    order = [(each, True) for each in stopped] + [(each, False) for each in released]
    places = sorted(dice.span(0, len(steps)) for _ in order)
    for offset, (place, args) in enumerate(zip(places, order, strict=True)):
        steps.insert(place + offset, Step("clog", args))
