"""Which rows of people's tables a transaction may touch: the second wall, in the database.

On PostgreSQL the tables named `WALLED` have row security: a transaction that has said nothing
finds them empty and can write nothing into them. It says which area numbers it works in with
`confine`, or that its work is not about an area with `everywhere`. Both hold until the end of
the transaction, so a connection that is given on, also by a pooler of transactions, has
forgotten them. SQLite has no such wall; there is one file and one process, and the scoped
select (`server.areas.scoped`) stands alone.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection

SETTING: Final = "jingwei.reach"
EVERYWHERE: Final = "{(,)}"
WALLED: Final = ("household", "resident", "visit", "note", "resident_identifier")
"""The tables that hold personal data of residents outside of the log and the feed."""

_SAY: Final = "SELECT set_config('jingwei.reach', $1, true)"
_HIGHEST: Final = 2**63 - 1


def confine(db: Connection, spans: Iterable[tuple[int, int]]) -> None:
    """Let this transaction touch rows of these intervals of area numbers, and no others.

    Both ends are included. What was said before in the transaction holds no longer.

    Raises:
        RuntimeError: outside of a transaction (`Store.ask`), where it would hold for nothing.
    """
    if db.dialect.name == "postgresql":
        _say(db, reach_of(spans))


def reach_of(spans: Iterable[tuple[int, int]]) -> str:
    """Return intervals with both ends included as the setting tells them: `{[lo,hi),…}`."""
    return "{" + ",".join(f"[{lo},{min(hi, _HIGHEST - 1) + 1})" for lo, hi in spans) + "}"


def everywhere(db: Connection) -> None:
    """Let this transaction touch every row: what it does is not somebody's question.

    Only for the modules that `tests/style/test_personal_tables.py` lists.
    """
    if db.dialect.name == "postgresql":
        _say(db, EVERYWHERE)


def reach_unsaid(db: Connection) -> None:
    """Forget what was said: a transaction begins, or went back to before it was said."""
    db.info.pop(SETTING, None)


def unwalled(db: Connection) -> list[str]:
    """Return the tables of `WALLED` whose row security is off or spares their owner; sorted."""
    query = (
        "SELECT relname FROM pg_class WHERE oid = to_regclass(relname)"
        " AND relname = ANY($1::text[]) AND relrowsecurity AND relforcerowsecurity"
    )
    walled = {str(row[0]) for row in db.exec_driver_sql(query, (list(WALLED),))}
    return sorted(set(WALLED) - walled)


def is_bound(db: Connection) -> bool:
    """Say whether row security binds the role of this connection."""
    query = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    return not db.exec_driver_sql(query).scalar_one()


def _say(db: Connection, reach: str) -> None:
    if db.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        raise RuntimeError("rows of people's tables are read in a transaction")
    if db.info.get(SETTING) != reach:
        db.exec_driver_sql(_SAY, (reach,))
        db.info[SETTING] = reach
