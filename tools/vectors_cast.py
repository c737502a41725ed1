"""The people and things of the stories that the vectors of outcomes tell."""

from typing import Any

from sync.known import Interval, Located
from tools.vectors_town import START_MS, Party, Town, made_id

GRID, OTHER_GRID, DWELLING, HOUSEHOLD = (made_id(each) for each in (2, 3, 4, 5))
REPORT, TASK, FRESH, NOWHERE = (made_id(each) for each in (6, 7, 8, 99))
BUCKET = f"grid:{GRID}"
ALWAYS = Interval(lo_ms=0, hi_ms=None)
BEFORE = Interval(lo_ms=0, hi_ms=START_MS)
POSITION = {
    "lon_e7": 1_166_000_000,
    "lat_e7": 399_000_000,
    "datum": "gcj02",
    "accuracy_cm": 800,
}
HERE = Located(grid=GRID, lon_e7=1_165_937_552, lat_e7=398_985_984, certain=True)


class Cast:
    """A grid with a household, two workers of it, one who was, a stranger, the office."""

    def __init__(self) -> None:
        self.town = Town()
        self.anna = party("anna", 21, assigned=ALWAYS)
        self.bo = party("bo", 22, assigned=ALWAYS)
        self.dora = party("dora", 26, assigned=BEFORE)
        self.stranger = party("stranger", 23)
        self.office = party("office", 24, console=True)
        self.leader = party("leader", 25, console=True)
        for record, kind, values in _FIRST:
            self.say("The office makes what there is.", self.office, record, kind, set=values)

    def say(self, lesson: str, party: Party, record: str, kind: str, **rest: Any) -> None:
        """Let a party send one mutation."""
        self.town.call(lesson, party, party.next(record, kind, **rest))

    def report(self) -> str:
        """Let Anna report something; return the incident that the report makes."""
        mutation = self.anna.next(
            REPORT, "report", set={"class": "leak", "text": "water"}, position=POSITION
        )
        lesson = "A report makes an incident, in the grid where it was measured."
        self.town.call(lesson, self.anna, mutation, located={mutation["n"]: HERE})
        return str(
            self.town.calls[-1]["written"][0]["state"].get("incident") or incident_of(self)
        )

    def dispatch(self) -> str:
        """Let the office give the reported incident to Anna; return the incident."""
        incident = self.report()
        self.say(
            "The office registers it and makes a task.",
            self.office,
            incident,
            "incident",
            base=1,
            act="dispatch",
            args={"task": TASK, "assignee": self.anna.account},
        )
        return incident


def incident_of(cast: Cast) -> str:
    """Return the first incident that there is."""
    return next(each.id for each in cast.town.records.values() if each.kind == "incident")


def party(
    name: str, number: int, *, console: bool = False, assigned: Interval | None = None
) -> Party:
    """Return somebody with a device and an account of one number."""
    device, account = made_id(number), made_id(number + 100)
    held = {} if assigned is None else {BUCKET: (assigned,)}
    return Party(name=name, device=device, account=account, console=console, assigned=held)


_FIRST: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        GRID,
        "grid",
        {
            "code": "G-1",
            "name": "Grid 1",
            "community": made_id(1),
            "boundary": "_p~iF~ps|U_ulLnnqC_mqNvxq`@",
            "area_m2": 250_000,
        },
    ),
    (
        DWELLING,
        "dwelling",
        {
            "code": "D-1",
            "address": "1 Plum Lane",
            "lon_e7": 1_165_937_552,
            "lat_e7": 398_985_984,
            "grid": GRID,
        },
    ),
    (HOUSEHOLD, "household", {"dwelling": DWELLING, "door": "201"}),
)
