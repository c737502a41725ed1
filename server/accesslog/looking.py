"""Looks at what is masked or sealed: noted in the transaction that answers, and counted.

Whatever shows a value that is not shown by default comes through here: the reveal of a name or
a telephone number, and everything that is done with an identity number.
"""

from typing import Final

from sqlalchemy import Connection

from server.accesslog import queries
from server.accesslog.chain import Noted
from server.accesslog.queries import LOOKS, NUMBER
from server.problems import TooManyRequests

DAY_MS: Final = 86_400_000
WAIT_S: Final = 3_600


def write_look(db: Connection, look: Noted, *, a_day: int) -> None:
    """Note a look in the transaction that does it; the value is given after its commit.

    Raises:
        TooManyRequests: if the account looked `a_day` times in the last 24 hours.
    """
    if look.act in LOOKS:
        since_ms, numbers = look.at_ms - DAY_MS, look.kind == NUMBER
        if queries.looks_since(db, look.account, since_ms, at_numbers=numbers) >= a_day:
            what = "identity numbers" if numbers else "names and telephone numbers"
            raise TooManyRequests(f"You looked at too many {what} today.", wait_s=WAIT_S)
    queries.note(db, [look])
