"""Looks at what is masked or sealed: noted in the transaction that answers, and counted.

Whatever shows a value that is not shown by default comes through here: the reveal of a name or
a telephone number, and everything that is done with an identity number.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from server.accesslog import queries
from server.accesslog.chain import Noted
from server.accesslog.queries import LOOKS, NUMBER
from server.clock import new_id
from server.problems import TooManyRequests

DAY_MS: Final = 86_400_000
WAIT_S: Final = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What somebody does with values: which fields of which records, what for and why."""

    account: str
    at_ms: int
    act: str
    kind: str
    records: tuple[str, ...]
    fields: tuple[str, ...]
    purpose: str | None
    reason: str | None = None
    grant: str | None = None


def write_look(db: Connection, look: Look, *, a_day: int) -> None:
    """Note a look in the transaction that does it; the value is given after its commit.

    Raises:
        TooManyRequests: if the account looked `a_day` times in the last 24 hours.
    """
    if look.act in LOOKS:
        since_ms, numbers = look.at_ms - DAY_MS, look.kind == NUMBER
        if queries.looks_since(db, look.account, since_ms, at_numbers=numbers) >= a_day:
            what = "identity numbers" if numbers else "names and telephone numbers"
            raise TooManyRequests(f"You looked at too many {what} today.", wait_s=WAIT_S)
    noted = Noted(
        id=new_id(),
        at_ms=look.at_ms,
        account=look.account,
        act=look.act,
        kind=look.kind,
        records=look.records,
        purpose=look.purpose,
        fields=look.fields,
        reason=look.reason,
        grant=look.grant,
    )
    queries.note(db, [noted])
