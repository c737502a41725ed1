"""What a phone's outbox still says of people who were erased is overwritten."""

import sqlite3

from sync.erasing import named_in, redacted_body
from sync.outcome import Code

_SETTLED = (
    (
        "SELECT n, body, code FROM mutation WHERE outcome IS NOT NULL",
        "UPDATE mutation SET body = ? WHERE n = ?",
    ),
    ("SELECT id, body, NULL FROM former", "UPDATE former SET body = ? WHERE id = ?"),
)


def forget_said_of(db: sqlite3.Connection, erased: frozenset[str]) -> None:
    """Take the content out of settled mutations about erased records, inside a transaction.

    Their places stay: a restored server may ask for them again, and a server that has them
    knows what it has itself kept of them.
    """
    for find, change in _SETTLED:
        kept = [
            (redacted_body(body), place)
            for place, body, code in db.execute(find).fetchall()
            if code == Code.ERASED or not erased.isdisjoint(named_in(body))
        ]
        db.executemany(change, kept)
