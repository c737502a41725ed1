"""Questions about the household registry. Every one starts from a scope."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Row,
    Select,
    Subquery,
    bindparam,
    literal,
    literal_column,
    select,
    union_all,
)

from server.areas.scope import Scope, spans_named, within, within_spans
from server.areas.scoped import HOUSEHOLDS, RESIDENTS, VISITS, confine_to
from server.db.bulk import among_listed, listed
from server.db.tables import Conflict, Dwelling
from sync.searching import Sought, Span

RESIDENTS_MAX = 500
SEARCHES_CACHED = 256
RegistryRow = Row[*tuple[Any, ...]]
_dwelling = Dwelling.__table__.c


def _with_dwelling(homes: Subquery) -> Select[*tuple[Any, ...]]:
    dwelling = (_dwelling.code.label("dwelling_code"), _dwelling.address)
    joined = homes.outerjoin(Dwelling.__table__, _dwelling.id == homes.c.dwelling_id)
    return select(*homes.c, *dwelling).select_from(joined)


def households_in(
    db: Connection,
    scope: Scope,
    *,
    equal: dict[str, Any],
    after_id: str | None,
    limit: int,
) -> Sequence[RegistryRow]:
    """Households whose columns equal `equal`, with code and address of the dwelling, by id."""
    homes = HOUSEHOLDS.within(db, scope)
    statement = _with_dwelling(homes)
    for name, value in equal.items():
        statement = statement.where(homes.c[name] == value)
    if after_id is not None:
        statement = statement.where(homes.c.id > after_id)
    return db.execute(statement.order_by(homes.c.id).limit(limit)).all()


def dwellings_in(
    db: Connection,
    scope: Scope,
    *,
    equal: dict[str, Any],
    after_id: str | None,
    limit: int,
) -> Sequence[RegistryRow]:
    """Dwellings whose columns equal `equal`, by id."""
    statement = select(*_dwelling).where(within(_dwelling.area_no, scope))
    for name, value in equal.items():
        statement = statement.where(_dwelling[name] == value)
    if after_id is not None:
        statement = statement.where(_dwelling.id > after_id)
    return db.execute(statement.order_by(_dwelling.id).limit(limit)).all()


def dwelling_in(db: Connection, scope: Scope, dwelling_id: str) -> RegistryRow | None:
    """`(id, area_no)` of one dwelling, or None."""
    statement = select(_dwelling.id, _dwelling.area_no).where(
        within(_dwelling.area_no, scope), _dwelling.id == dwelling_id
    )
    return db.execute(statement).one_or_none()


def residents_in(
    db: Connection, scope: Scope, *, equal: dict[str, Any], limit: int = RESIDENTS_MAX
) -> Sequence[RegistryRow]:
    """Residents whose columns equal `equal`, by id, at most `limit`."""
    people = RESIDENTS.within(db, scope)
    statement = select(*people.c)
    for name, value in equal.items():
        statement = statement.where(people.c[name] == value)
    return db.execute(statement.order_by(people.c.id).limit(limit)).all()


def visits_in(
    db: Connection,
    scope: Scope,
    household_id: str,
    *,
    after: tuple[int, str] | None,
    limit: int,
) -> Sequence[RegistryRow]:
    """Visits to one household that were not put away, the newest arrival first."""
    visits = VISITS.within(db, scope).c
    statement = select(*visits).where(visits.household_id == household_id, ~visits.archived)
    if after is not None:
        arrived_ms, visit_id = after
        statement = statement.where(
            (visits.created_ms < arrived_ms)
            | ((visits.created_ms == arrived_ms) & (visits.id < visit_id))
        )
    newest = (visits.created_ms.desc(), visits.id.desc())
    return db.execute(statement.order_by(*newest).limit(limit)).all()


def contested_fields(db: Connection, scope: Scope, record_id: str) -> list[str]:
    """Names of the fields of one record on which values disagree, sorted."""
    conflict = Conflict.__table__.c
    statement = (
        select(conflict.field)
        .where(
            within(conflict.area_no, scope),
            conflict.record_id == record_id,
            conflict.status == "open",
        )
        .order_by(conflict.field)
    )
    return list(db.execute(statement).scalars())


def households_found(
    db: Connection, scope: Scope, text: str, asked: Sought, *, limit: int
) -> tuple[Sequence[tuple[RegistryRow, set[str]]], bool]:
    """Households that `asked` finds with the columns by which each is found; True if cut.

    No column gives more than `limit` rows; those whose keys come first (an exact match does)
    are given. `text` is what was typed: the code of a dwelling has to equal it.
    """
    statement = _search(len(scope), limit, by_phone=asked.phone_ends is not None)
    named = {
        **spans_named(scope),
        **_span_named("begins", asked.begins),
        **_span_named("ends", asked.ends),
        "code": text,
    }
    if asked.phone_ends is not None:
        named |= _span_named("phone", asked.phone_ends)
    confine_to(db, scope)
    found = db.execute(statement, named).all()
    homes = _homes(db.dialect.name, len(scope))
    ids = listed(db, {each.id for each in found})
    rows = db.execute(homes, {**spans_named(scope), "ids": ids}).all() if found else []
    matched: dict[str, set[str]] = {}
    for each in found:
        matched.setdefault(each.id, set()).add(each.matched)
    full = any(n >= limit for n in Counter(each.matched for each in found).values())
    return [(row, matched[row.id]) for row in rows], full


def _span_named(name: str, span: Span) -> dict[str, str]:
    return {f"{name}_low": span.low, f"{name}_high": span.high}


@lru_cache(maxsize=SEARCHES_CACHED)
def _search(spans: int, limit: int, *, by_phone: bool) -> CompoundSelect[str, str]:
    """The statement of a search: to build it costs many times what it costs to run it."""
    sources = _sources(spans, limit)
    if by_phone:
        sources += _phone_sources(spans, limit)
    return union_all(*(select(each.c.id, each.c.matched) for each in sources))


@lru_cache(maxsize=SEARCHES_CACHED)
def _homes(dialect: str, spans: int) -> Select[*tuple[Any, ...]]:
    """The households of some ids, read apart from the search that found them."""
    homes = HOUSEHOLDS.within_spans(spans, by_id=True)
    return _with_dwelling(homes).where(
        among_listed(dialect, homes.c.id, "ids"), ~homes.c.archived
    )


def _sources(spans: int, limit: int) -> list[Subquery]:
    """One short list `(id, matched)` of households for every column that is looked at."""
    homes, people = HOUSEHOLDS.within_spans(spans).c, RESIDENTS.within_spans(spans).c
    doors = _keyed(homes.id, "door", homes.door_key, "begins")
    names = _keyed(people.household_id, "name", people.name_key, "begins")
    begun = _keyed(_dwelling.id, "address", _dwelling.address_key, "begins")
    ended = _keyed(_dwelling.id, "address", _dwelling.address_end_key, "ends")
    coded = select(_dwelling.id, literal("code").label("matched")).where(
        _dwelling.code == bindparam("code")
    )
    near = within_spans(_dwelling.area_no, spans)
    places = [_first(each.where(near), _dwelling, limit) for each in (begun, ended, coded)]
    return [
        _first(doors, homes, limit),
        _first(names, people, limit),
        *(_living_at(each, spans, limit) for each in places),
    ]


def _phone_sources(spans: int, limit: int) -> list[Subquery]:
    """The lists for what may be a telephone number: that of a household or of a resident."""
    homes, people = HOUSEHOLDS.within_spans(spans).c, RESIDENTS.within_spans(spans).c
    of_homes = _keyed(homes.id, "phone", homes.phone_key, "phone")
    of_people = _keyed(people.household_id, "phone", people.phone_key, "phone")
    return [_first(of_homes, homes, limit), _first(of_people, people, limit)]


def _keyed(
    chosen: ColumnElement[str], matched: str, key: ColumnElement[str | None], span: str
) -> Select[str, str]:
    """What has a `key` in the span of this name, in the order of the key."""
    statement = select(chosen.label("id"), literal(matched).label("matched")).where(
        key >= bindparam(f"{span}_low"), key < bindparam(f"{span}_high")
    )
    return statement.order_by(key)


def _first(statement: Select[str, str], of: Any, limit: int) -> Subquery:
    """The first rows of a scope that were not put away: one walk of an index."""
    return statement.where(~of.archived).limit(literal_column(str(limit))).subquery()


def _living_at(places: Subquery, spans: int, limit: int) -> Subquery:
    """The households of some dwellings."""
    homes = HOUSEHOLDS.within_spans(spans, by_id=True).c
    statement = select(homes.id.label("id"), places.c.matched).join(
        places, places.c.id == homes.dwelling_id
    )
    return statement.where(~homes.archived).limit(literal_column(str(limit))).subquery()
