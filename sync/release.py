"""Work that waited is ruled on: a console releases it or refuses it, and the log says so.

A ruling is a mutation of a console that cites the one it is about: who, when and why stand in
the log like any other act, and the history can be folded again. What is released keeps its own
author, device, `n`, base, time and place; only the order in which it reached the records is the
ruling's (protocol section 4: "merges with its original base and time").
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from sync.decide import decide
from sync.known import Author, Held, Located
from sync.mutation import EMPTY, Datum, Mutation
from sync.outcome import Code, Outcome
from sync.record import Record
from sync.sheet import Deed, Sheet, Verdict

RELEASE: Final = "release"
REFUSE: Final = "refuse"
_RULINGS: Final = frozenset({RELEASE, REFUSE})
_AUTHORITY: Final = frozenset({Code.NOT_IN_SCOPE, Code.UNKNOWN_RECORD, Code.UNKNOWN_PARENT})


class Why(StrEnum):
    """What ends the waiting.

    PERSON: somebody vouches for the work, so authority that was missing counts as given.
    ARRIVED: the record it named exists now. ACTOR: its author was accepted on the device.
    READABLE: the server reads its version of the record schema now. These only take the
    obstacle away: authority is judged as if it had not been there.
    """

    PERSON = "person"
    ARRIVED = "arrived"
    ACTOR = "actor"
    READABLE = "readable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A console's word about the mutation `(device, n)`; `corrected` replaces its members."""

    device: str
    n: int
    why: Why
    text: str | None = None
    corrected: Mapping[str, Any] = field(default_factory=lambda: EMPTY)


def ruling_args(ruling: Ruling) -> dict[str, Any]:
    """Return a ruling as the arguments of a console's act; `ruling_of` reads them."""
    args: dict[str, Any] = {"device": ruling.device, "n": ruling.n, "why": ruling.why.value}
    if ruling.text is not None:
        args["text"] = ruling.text
    if ruling.corrected:
        args["corrected"] = dict(ruling.corrected)
    return args


def is_ruling(author: Author, mutation: Mutation) -> bool:
    """Say whether a mutation is a console's ruling about another one."""
    return author.console and mutation.act in _RULINGS


def ruling_of(mutation: Mutation) -> Ruling:
    """Return what a ruling says."""
    args = mutation.args
    return Ruling(
        device=args["device"],
        n=args["n"],
        why=Why(args["why"]),
        text=args.get("text"),
        corrected=args.get("corrected", EMPTY),
    )


def released(waiting: Mutation, act: Mutation) -> Mutation:
    """Return the mutation that `act` lets go: with its corrections, and the base that counts.

    `corrected` holds members that count instead (`set`, `add`, `remove`, `args`), and the
    `datum` of a position that was labelled wrong. The base is the ruling's: that of the waiting
    mutation, or less if it was from the future.
    """
    said: dict[str, Any] = dict(ruling_of(act).corrected)
    for name in ("add", "remove"):
        if name in said:
            said[name] = {key: tuple(each) for key, each in said[name].items()}
    datum = said.pop("datum", None)
    if datum is not None and waiting.position is not None:
        said["position"] = replace(waiting.position, datum=Datum(datum))
    return replace(waiting, base=act.base, actor=None, **said)


def rule_on(
    records: Mapping[str, Record], act: Mutation, held: Held | None, located: Located | None
) -> tuple[Verdict, Mapping[str, Record]]:
    """Decide a ruling; returns what became of the work that waited, and the changed records.

    Nothing changes when it does not wait any more (`recorded`, `wrong-state`) or still cannot
    be applied (`held` or `invalid`, with the code that stands in the way now).
    """
    record = records.get(act.record)
    rev = 0 if record is None else record.rev
    if held is None or not held.waits:
        return Verdict(outcome=Outcome.RECORDED, code=Code.WRONG_STATE, rev=rev), EMPTY
    if act.act == REFUSE:
        return Verdict(outcome=Outcome.UNCHANGED, rev=rev), EMPTY
    if not held.believed:
        return Verdict(
            outcome=Outcome.HELD, code=Code.UNKNOWN_ACTOR, field="actor", rev=rev
        ), EMPTY
    deed = Deed(
        author=held.author,
        mutation=without_outdated(released(held.mutation, act), held.later),
        at_ms=held.at_ms,
        quality=held.quality,
        located=located,
        authority=held.authority,
    )
    verdict, changed = _decided(records, deed)
    vouched = ruling_of(act).why is Why.PERSON
    if vouched and verdict.outcome is Outcome.HELD and verdict.code in _AUTHORITY:
        verdict, changed = _decided(records, replace(deed, granted=True))
    return verdict, changed


def _decided(records: Mapping[str, Record], deed: Deed) -> tuple[Verdict, Mapping[str, Record]]:
    sheet = Sheet(records)
    verdict = decide(sheet, deed)
    return verdict, sheet.changed


def without_outdated(mutation: Mutation, later: Iterable[Mutation]) -> Mutation:
    """Leave out what the author has said anew since: `later` is of its device, on its record.

    The merge expects a device's values in the order of their `n`. Had this one not waited, its
    author would have replaced these values by now.
    """
    names: set[str] = set()
    elements: set[tuple[str, str]] = set()
    for each in later:
        names.update(each.set)
        elements.update(_elements(each.add))
        elements.update(_elements(each.remove))
    if mutation.act is not None or not (names or elements):
        return mutation
    return replace(
        mutation,
        set={name: each for name, each in mutation.set.items() if name not in names},
        add=_without(mutation.add, elements),
        remove=_without(mutation.remove, elements),
    )


def _elements(members: Mapping[str, Iterable[str]]) -> Iterable[tuple[str, str]]:
    return ((name, each) for name, values in members.items() for each in values)


def _without(
    members: Mapping[str, Iterable[str]], elements: Container[tuple[str, str]]
) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(each for each in values if (name, each) not in elements)
        for name, values in members.items()
    }
