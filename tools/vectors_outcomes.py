"""Vectors of outcomes: short stories of calls, every code in at least one of them."""

from collections.abc import Callable
from typing import Any

from sync.known import Located
from tools.vectors_cast import DWELLING, FRESH, HOUSEHOLD, NOWHERE, POSITION, REPORT, TASK, Cast
from tools.vectors_records import erased, merged, put_away, restricted
from tools.vectors_town import START_MS, Party, made_id


def invalid_things(cast: Cast) -> None:
    """What is wrong by itself: final, and the queue goes on."""
    anna, say = cast.anna, cast.say
    wrong = anna.next(HOUSEHOLD, "household", base=1, sets={})
    cast.town.call("A member that does not exist.", anna, wrong)
    say("No such kind.", anna, FRESH, "vehicle", set={"code": "1"})
    say("No such field.", anna, HOUSEHOLD, "household", base=1, set={"colour": "red"})
    say("No such act.", anna, HOUSEHOLD, "household", base=1, act="paint")
    say("Not a word of the list.", anna, HOUSEHOLD, "household", base=1, set={"status": "x"})
    say("A required field is missing.", anna, FRESH, "household", set={"door": "202"})
    say(
        "Fixed at creation.",
        anna,
        HOUSEHOLD,
        "household",
        base=1,
        set={"dwelling": NOWHERE},
    )
    say("Only the office writes it.", anna, FRESH, "dwelling", set={"code": "D-2"})
    say(
        "Only the office may do it.",
        anna,
        HOUSEHOLD,
        "household",
        base=1,
        act="resolve",
        args={"field": "door", "value": "1"},
    )
    say("The record is a household.", anna, HOUSEHOLD, "resident", base=1, set={"name": "x"})


def held_things(cast: Cast) -> None:
    """What a person must look at."""
    anna, say = cast.anna, cast.say
    say("There is no revision 7 yet.", anna, HOUSEHOLD, "household", base=7, set={"door": "3"})
    say("There is no such record.", anna, NOWHERE, "household", base=1, set={"door": "3"})
    say("There is no such dwelling.", anna, FRESH, "household", set={"dwelling": NOWHERE})
    say(
        "Assigned there once, but no longer when she did it.",
        cast.dora,
        HOUSEHOLD,
        "household",
        base=1,
        set={"door": "3"},
    )
    say(
        "Somebody else than the holder of the device.",
        anna,
        HOUSEHOLD,
        "household",
        base=1,
        set={"door": "3"},
        actor=cast.bo.account,
    )
    say(
        "An app that is newer than the server.",
        anna,
        HOUSEHOLD,
        "household",
        base=1,
        set={"heating": "district"},
        schema=99,
    )


def edits(cast: Cast) -> None:
    """Edits of two phones that have not seen each other."""
    anna, bo, say = cast.anna, cast.bo, cast.say
    say("An edit of what was seen.", anna, HOUSEHOLD, "household", base=1, set={"door": "3"})
    say(
        "Her next edit, with the base she still has: nobody else wrote, so it is applied.",
        anna,
        HOUSEHOLD,
        "household",
        base=1,
        add={"languages": ["yue"]},
    )
    say(
        "Another field, unseen by each other: merged.",
        bo,
        HOUSEHOLD,
        "household",
        base=1,
        set={"contact_phone": "555-0138"},
    )
    say(
        "What the record says already: nothing is asked for.",
        anna,
        HOUSEHOLD,
        "household",
        base=4,
        set={"contact_phone": "555-0138"},
    )
    say(
        "The same new value without having seen it: unchanged, but the revision rises.",
        anna,
        HOUSEHOLD,
        "household",
        base=3,
        set={"contact_phone": "555-0138"},
    )
    say(
        "Another value for a field that somebody else wrote: a conflict.",
        bo,
        HOUSEHOLD,
        "household",
        base=1,
        set={"door": "4"},
    )
    say(
        "The office chooses.",
        cast.office,
        HOUSEHOLD,
        "household",
        base=6,
        act="resolve",
        args={"field": "door", "value": "3"},
    )


def facts(cast: Cast) -> None:
    """Facts are taken without an assignment; about what their author may not know they wait."""
    stranger, dora, say = cast.stranger, cast.dora, cast.say
    visit = {"household": HOUSEHOLD, "outcome": "done"}
    say(
        "A visit by somebody who was assigned there once lives in the household's bucket.",
        dora,
        FRESH,
        "visit",
        set=visit,
    )
    say("The same id once more.", dora, FRESH, "visit", set=visit)
    unknown = made_id(9), made_id(10)
    say("For a stranger there is no such household.", stranger, unknown[0], "visit", set=visit)
    visit = {"household": NOWHERE, "outcome": "done"}
    say("Nor is there this one, for anybody.", stranger, unknown[1], "visit", set=visit)
    said = {"class": "leak", "incident": NOWHERE}
    say(
        "A report that names an incident unknown to its author gets one of its own.",
        stranger,
        made_id(11),
        "report",
        set=said,
    )
    mutation = stranger.next(REPORT, "report", set={"class": "leak"}, position=POSITION)
    nowhere = Located(grid=None, lon_e7=1, lat_e7=2, certain=False)
    cast.town.call(
        "A report from a place in no grid lives in the bucket of its author.",
        stranger,
        mutation,
        located={mutation["n"]: nowhere},
    )


def claims(cast: Cast) -> None:
    """Claims raise the status or are recorded; the earliest has the credit."""
    incident = cast.dispatch()
    anna, say, town = cast.anna, cast.say, cast.town
    early = anna.next(TASK, "task", 1, act="start")
    say(
        "Bo was never the assignee.",
        cast.bo,
        TASK,
        "task",
        base=1,
        act="finish",
        args={"result": "mended"},
    )
    later = anna.next(TASK, "task", 1, act="finish", args={"result": "mended"})
    town.call("Started and finished without network in between.", anna, early, later)
    say(
        "Accepted afterwards: the task is further on.", anna, TASK, "task", base=3, act="accept"
    )
    say("Finished once more.", anna, TASK, "task", base=4, act="finish")
    say(
        "Nobody closes their own work; the credit for it is of Anna's account.",
        _console_of(anna),
        incident,
        "incident",
        base=4,
        act="close",
    )
    say(
        "The check failed: a new epoch of both.",
        cast.office,
        incident,
        "incident",
        base=4,
        act="verify",
        args={"result": "fail", "text": "still wet"},
    )
    say("It speaks about the round before.", anna, TASK, "task", base=3, act="finish")
    say("Too early to confirm.", cast.office, TASK, "task", base=5, act="confirm")
    say("Withdrawn.", cast.leader, TASK, "task", base=5, act="withdraw")
    say("It is over.", anna, TASK, "task", base=6, act="finish")


def _console_of(party: Party) -> Party:
    return Party(name="anna at a desk", device=made_id(40), account=party.account, console=True)


def identity(cast: Cast) -> None:
    """Numbers: repeated, reused, left out; and a device that was revoked."""
    anna, bo, town = cast.anna, cast.bo, cast.town
    first = anna.next(HOUSEHOLD, "household", 1, set={"door": "3"})
    town.call("Applied.", anna, first)
    town.call("Sent again, byte for byte.", anna, town.calls[-1]["mutations"][0])
    anna.next(HOUSEHOLD, "household")
    third = anna.next(HOUSEHOLD, "household", 2, set={"door": "4"})
    fourth = anna.next(HOUSEHOLD, "household", 2, set={"door": "5"})
    town.call("Number 2 is missing: nothing is stored.", anna, third, fourth)
    second = {**third, "n": 2}
    reused = {**first, "set": {"door": "9"}}
    town.call("Number 1 with another body: nothing new is applied.", anna, reused, second)
    town.call("And so from now on, until the phone enrols with a new id.", anna, third)
    town.revoke(bo)
    work = bo.next(HOUSEHOLD, "household", 2, set={"door": "6"})
    town.call("The work of a revoked device is kept for a person.", bo, work)


def groups(cast: Cast) -> None:
    """Mutations of one group are decided together; facts stand by themselves."""
    anna, town = cast.anna, cast.town

    def form(dwelling: str, *numbers: int) -> list[dict[str, Any]]:
        family, visit, note = (made_id(each) for each in numbers)
        met = {"household": family, "outcome": "done"}
        said = {"parent": HOUSEHOLD, "text": "The bell is broken."}
        return [
            anna.next(family, "household", set={"dwelling": dwelling}, group="form"),
            anna.next(visit, "visit", set=met, group="form"),
            anna.next(note, "note", set=said, group="form"),
            anna.next(HOUSEHOLD, "household", 1, set={"door": "202"}, group="form"),
        ]

    failing = form(NOWHERE, 51, 52, 53)
    town.call(
        "There is no such dwelling: nothing of the form but the note, which stands alone.",
        anna,
        *failing,
    )
    between = anna.next(HOUSEHOLD, "household", 1, set={"contact_phone": "555-0138"})
    first, second, third, fourth = form(DWELLING, 54, 55, 56)
    town.call("Another form, cut in two by mistake.", anna, between, first, second)
    town.call("What comes later is too late, but for the note.", anna, third, fourth)


STORIES: tuple[Callable[[Cast], None], ...] = (
    invalid_things,
    held_things,
    edits,
    facts,
    claims,
    identity,
    groups,
    put_away,
    merged,
    erased,
    restricted,
)


def outcome_vectors() -> dict[str, Any]:
    """Return every story with its parties, calls and answers."""
    return {
        "about": "`answers` has one entry for each mutation; on the wire plain `applied` ones "
        "are left out, and so are `at_ms` and `quality`, which only the server stores. "
        "`record` is there where the effect was on another record than the one named. "
        "`written` are the records after the call. `located` is what the server's map says.",
        "stories": [_told(each) for each in STORIES],
    }


def _told(story: Callable[[Cast], None]) -> dict[str, Any]:
    cast = Cast()
    story(cast)
    people = (cast.anna, cast.bo, cast.dora, cast.stranger, cast.office, cast.leader)
    return {
        "name": story.__name__,
        "about": (story.__doc__ or "").strip(),
        "begins_ms": START_MS,
        "people": {
            each.name: {
                "device": each.device,
                "account": each.account,
                "console": each.console,
                "assigned": [
                    {"bucket": bucket, "from_ms": span.lo_ms, "to_ms": span.hi_ms}
                    for bucket, spans in each.assigned.items()
                    for span in spans
                ],
            }
            for each in people
        },
        "calls": cast.town.calls,
    }
