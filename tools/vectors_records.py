"""Stories of records that the office takes away: put away, erased."""

from tools.vectors_cast import FRESH, HOUSEHOLD, Cast


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


def erased(cast: Cast) -> None:
    """What is said of an erased household changes nothing and is not kept."""
    anna, office, say = cast.anna, cast.office, cast.say
    gone = {"act": "erase", "args": {"reason": "person_asked"}}
    say("The people there asked for it.", office, HOUSEHOLD, "household", base=1, **gone)
    say("She had not heard of it.", anna, HOUSEHOLD, "household", base=1, set={"door": "7"})
