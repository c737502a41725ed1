"""Vectors of the merge: one field, one author's value after another, and what stands then."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sync.fields import Policy
from sync.merge import ELEMENT, RULES, Rule, Stamp, accept, contested_values, shown
from sync.record import Cell

OFFICE = "office"


@dataclass(frozen=True, kw_only=True)
class Said:
    """One author's value. `device` OFFICE is a console; `resolves` marks the act `resolve`."""

    device: str
    base: int
    value: Any
    at_ms: int
    resolves: bool = False


@dataclass(frozen=True, kw_only=True)
class Story:
    """A field with a policy (None: an element of a set) and what was said about it."""

    name: str
    lesson: str
    policy: Policy | None
    said: tuple[Said, ...] = field(default=())


def _said(*rows: tuple[str, int, Any, int]) -> tuple[Said, ...]:
    return tuple(
        Said(device=device, base=base, value=value, at_ms=at_ms)
        for device, base, value, at_ms in rows
    )


_BESIDE = (("bo", 1, "2", 5), ("anna", 1, "1", 10), ("chen", 3, "3", 20))
STORIES = (
    Story(
        name="seen-beats-clock",
        lesson="Bo had seen the value of Anna, so it is replaced, although the time says "
        "otherwise.",
        policy=Policy.LATEST,
        said=_said(("anna", 1, "1", 10), ("bo", 2, "2", 5)),
    ),
    Story(
        name="unseen-is-a-conflict",
        lesson="Neither had seen the other. The later one is shown, both stay.",
        policy=Policy.LATEST,
        said=_said(("anna", 1, "1", 10), ("bo", 1, "2", 5)),
    ),
    Story(
        name="own-chain",
        lesson="A device knows what it wrote itself, whatever its base.",
        policy=Policy.LATEST,
        said=_said(("anna", 1, "1", 10), ("anna", 1, "2", 11)),
    ),
    Story(
        name="nothing-asked",
        lesson="Bo set what was shown: nothing is asked for, no head is added.",
        policy=Policy.LATEST,
        said=_said(("anna", 1, "1", 10), ("bo", 2, "1", 20)),
    ),
    Story(
        name="nothing-asked-of-the-past",
        lesson="Chen set what was shown at revision 2. That another value is shown by now does "
        "not make it a wish.",
        policy=Policy.LATEST,
        said=_said(("anna", 1, "1", 10), ("bo", 2, "2", 20), ("chen", 2, "1", 30)),
    ),
    Story(
        name="same-new-value",
        lesson="Two authors wrote the same new value without seeing each other: two heads, one "
        "value, no conflict. The revision rises.",
        policy=Policy.LATEST,
        said=_said(("anna", 1, "1", 10), ("bo", 1, "1", 20)),
    ),
    Story(
        name="loser-is-kept",
        lesson="Chen was shown `1` only. The `2` of Bo, which nobody has looked at, is kept.",
        policy=Policy.LATEST,
        said=_said(*_BESIDE),
    ),
    Story(
        name="kept-until-its-device-writes",
        lesson="Bo writes again, having seen `3`: what Bo wrote before is over.",
        policy=Policy.LATEST,
        said=_said(*_BESIDE, ("bo", 4, "4", 30)),
    ),
    Story(
        name="kept-until-somebody-shown-it-replaces-it",
        lesson="At revision 2 the `2` was shown to Dora. She replaces it knowingly; the `3`, "
        "which she had not seen, stands beside her value.",
        policy=Policy.LATEST,
        said=_said(*_BESIDE, ("dora", 2, "4", 30)),
    ),
    Story(
        name="resolve",
        lesson="A person chose among all values.",
        policy=Policy.LATEST,
        said=(
            *_said(*_BESIDE),
            Said(device=OFFICE, base=4, value="2", at_ms=40, resolves=True),
        ),
    ),
    Story(
        name="resolve-that-came-too-early",
        lesson="The base of the resolution covers the `1` and the `2`, not the `3` that came "
        "after it: the conflict stays open with what was not looked at.",
        policy=Policy.LATEST,
        said=(
            *_said(*_BESIDE),
            Said(device=OFFICE, base=3, value="2", at_ms=40, resolves=True),
        ),
    ),
    Story(
        name="review",
        lesson="The earliest stays shown until a person decides.",
        policy=Policy.REVIEW,
        said=_said(("bo", 1, "moved_out", 20), ("anna", 1, "vacant", 10)),
    ),
    Story(
        name="server-wins",
        lesson="The office is shown although its value is older. It is still a conflict.",
        policy=Policy.SERVER_WINS,
        said=_said((OFFICE, 1, "1", 5), ("anna", 1, "2", 10)),
    ),
    Story(
        name="max",
        lesson="The greatest of the concurrent values is shown, and it is never a conflict.",
        policy=Policy.MAX,
        said=_said(("anna", 1, 9, 5), ("bo", 1, 5, 10)),
    ),
    Story(
        name="aside",
        lesson="The `5` of Bo was never shown to anybody and is replaced. Bo's own phone still "
        "shows it, so that Bo says `5` again asks for nothing.",
        policy=Policy.MAX,
        said=_said(("anna", 1, 9, 5), ("bo", 1, 5, 10), ("chen", 3, 10, 20), ("bo", 1, 5, 30)),
    ),
    Story(
        name="element",
        lesson="Anna removes what she saw, Bo adds it without having seen that: present wins.",
        policy=None,
        said=_said(
            ("chen", 1, True, 1),
            ("anna", 2, False, 20),
            ("bo", 1, True, 10),
        ),
    ),
)


def merge_vectors() -> dict[str, Any]:
    """Return every story with what stands after each step."""
    return {
        "about": "The record stands at revision 1 and the field was never written. `nothing` "
        "says that the author asked for nothing; else the value stands at `rev`. Values are "
        "written `value@rev`.",
        "cases": [
            {
                "name": story.name,
                "lesson": story.lesson,
                "policy": None if story.policy is None else story.policy.value,
                "steps": list(_steps(story)),
            }
            for story in STORIES
        ],
    }


def _steps(story: Story) -> Iterable[dict[str, Any]]:
    rule = ELEMENT if story.policy is None else RULES[story.policy]
    cell: Cell | None = None
    rev = 1
    numbers: dict[str, int] = {}
    for said in story.said:
        numbers[said.device] = numbers.get(said.device, 0) + 1
        stamp = Stamp(
            rev=rev + 1,
            base=said.base,
            device=said.device,
            n=numbers[said.device],
            at_ms=said.at_ms,
            console=said.device == OFFICE,
            decisive=said.resolves,
        )
        after = accept(cell, said.value, stamp, rule)
        if after is not None:
            cell, rev = after, rev + 1
        yield _step(said, cell, rule, rev=rev, nothing=after is None)


def _step(
    said: Said, cell: Cell | None, rule: Rule, *, rev: int, nothing: bool
) -> dict[str, Any]:
    there = Cell() if cell is None else cell
    values = contested_values(there, rule) if there.heads else frozenset()
    return {
        "device": said.device,
        "base": said.base,
        "value": said.value,
        "at_ms": said.at_ms,
        "resolves": said.resolves,
        "nothing": nothing,
        "rev": rev,
        "shown": shown(there, rule) if there.heads else rule.blank,
        "heads": [{"value": each.value, "rev": each.rev} for each in there.heads],
        "kept": [{"value": each.value, "rev": each.rev} for each in there.kept],
        "conflict": sorted(values),
    }
