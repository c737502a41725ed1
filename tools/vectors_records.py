"""Stories of records that the office takes away: put away, merged, erased, hidden."""

from tools.vectors_cast import DWELLING, FRESH, HOUSEHOLD, Cast
from tools.vectors_town import made_id


def put_away(cast: Cast) -> None:
    """A record that the office put away takes what still arrives and is not brought back."""
    anna, office, say = cast.anna, cast.office, cast.say
    gone = {"act": "archive", "args": {"text": "The house was pulled down."}}
    say("The office puts it away.", office, HOUSEHOLD, "household", base=1, **gone)
    say("She had not heard of it.", anna, HOUSEHOLD, "household", base=1, set={"door": "7"})
    visit = {"household": HOUSEHOLD, "outcome": "moved"}
    say("A fact about it is taken.", anna, FRESH, "visit", set=visit)
    back = {"act": "restore", "args": {"text": "It was the house beside it."}}
    say("Brought back, it shows what she said.", office, HOUSEHOLD, "household", base=3, **back)


def merged(cast: Cast) -> None:
    """A household that was entered twice: what is said of either counts for both."""
    anna, bo, office, say = cast.anna, cast.bo, cast.office, cast.say
    said = {"dwelling": DWELLING, "door": "7", "contact_phone": "555-0138"}
    say("The same family, entered again.", anna, FRESH, "household", set=said)
    one = {"act": "merge_into", "args": {"into": HOUSEHOLD, "text": "The same family."}}
    say("The office says that they are one.", office, FRESH, "household", base=1, **one)
    say("He corrects what he saw.", bo, FRESH, "household", base=1, set={"door": "8"})
    say(
        "He sets what he saw: nothing is asked for.",
        bo,
        FRESH,
        "household",
        base=1,
        set={"contact_phone": "555-0138"},
    )
    say(
        "She knows the other one only.", anna, HOUSEHOLD, "household", base=1, set={"door": "9"}
    )
    visit = {"household": FRESH, "outcome": "done"}
    say("A visit goes to the one that stands for both.", anna, made_id(57), "visit", set=visit)
    back = {"act": "restore", "args": {"text": "They are two after all."}}
    say("Nothing un-merges.", office, FRESH, "household", base=2, **back)


def erased(cast: Cast) -> None:
    """What is said of an erased household changes nothing and is not kept."""
    anna, office, say = cast.anna, cast.office, cast.say
    gone = {"act": "erase", "args": {"reason": "person_asked"}}
    say("The people there asked for it.", office, HOUSEHOLD, "household", base=1, **gone)
    say("She had not heard of it.", anna, HOUSEHOLD, "household", base=1, set={"door": "7"})


def restricted(cast: Cast) -> None:
    """People who asked that nobody uses what is held about them: edits wait, facts are kept."""
    anna, office, say = cast.anna, cast.office, cast.say
    asked = {"request": made_id(70)}
    said = {"act": "restrict", "args": asked}
    say("The office grants it.", office, HOUSEHOLD, "household", base=1, **said)
    say("She had not heard of it.", anna, HOUSEHOLD, "household", base=1, set={"door": "7"})
    visit = {"household": HOUSEHOLD, "outcome": "not_home"}
    say("A fact is kept, hidden with the rest.", anna, FRESH, "visit", set=visit)
    back = {"act": "lift", "args": asked}
    say("It is over, for the visit too.", office, HOUSEHOLD, "household", base=2, **back)
