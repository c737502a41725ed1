"""Rows of people's tables, as a scope shows them: the only way for a feature to read them.

    homes = HOUSEHOLDS.within(db, scope)
    db.execute(select(homes.c.id).where(homes.c.grid_id == grid_id))

The table itself stays in here. Its columns belong to a select that is narrowed to the scope
already, and the database is told of the same scope (`server.db.reach`), so that neither can be
forgotten.
"""

from typing import Any, Final

from sqlalchemy import Connection, Subquery, Table, literal_column, select

from server.areas.scope import Scope, within, within_spans
from server.db.reach import confine
from server.db.tables import Household, Resident, Visit


def confine_to(db: Connection, scope: Scope) -> None:
    """Tell the database what the rest of the transaction may read of people's tables."""
    confine(db, [(span.lo, span.hi) for span in scope])


class Personal:
    """One of people's tables."""

    def __init__(self, row: Any) -> None:
        self._table: Table = row.__table__

    def within(self, db: Connection, scope: Scope) -> Subquery:
        """The rows in `scope`, with all their columns; an empty scope shows none."""
        confine_to(db, scope)
        columns = self._table.c
        return self._named(select(*columns).where(within(columns.area_no, scope)))

    def within_spans(self, spans: int, *, by_id: bool = False) -> Subquery:
        """Like `within` for a statement that is built once for scopes of so many spans.

        Whoever runs it calls `confine_to` and gives it `spans_named(scope)`. With `by_id` the
        index of areas is not used: few ids are known, and a plan that is made without knowing
        the scope would read all rows of it.
        """
        columns = self._table.c
        area_no = columns.area_no + literal_column("0") if by_id else columns.area_no
        return self._named(select(*columns).where(within_spans(area_no, spans)))

    def _named(self, narrowed: Any) -> Subquery:
        found: Subquery = narrowed.subquery(self._table.name)
        return found


HOUSEHOLDS: Final = Personal(Household)
RESIDENTS: Final = Personal(Resident)
VISITS: Final = Personal(Visit)
