"""All SQL about boundary changes: drafts, what lives on their ground, who looks after it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    func,
    insert,
    or_,
    select,
    update,
)

from server.areas.scope import Scope, within
from server.areas.scoped import HOUSEHOLDS
from server.db.bulk import among, insert_new, upsert
from server.db.periods import holds_at
from server.db.spatial import as_wkb, bbox_filter
from server.db.tables import (
    Account,
    Area,
    Assignment,
    BoundaryChange,
    Dwelling,
    Grid,
    GridLineage,
    GridVersion,
    Incident,
    Task,
)
from server.identity.principal import Role
from sync.lifecycle import OPEN_TASK, TERMINAL

AnyRow = Row[*tuple[Any, ...]]
Bounds = tuple[float, float, float, float]
_change = BoundaryChange.__table__.c
_grid = Grid.__table__.c
_area = Area.__table__.c
_dwelling = Dwelling.__table__.c
_incident = Incident.__table__.c
_task = Task.__table__.c
_assignment = Assignment.__table__.c
_account = Account.__table__.c
_MOVED_OUT = "moved_out"


def changes_in(
    db: Connection,
    scope: Scope,
    *,
    state: str | None,
    after: tuple[int, str] | None,
    limit: int,
) -> Sequence[AnyRow]:
    """Boundary changes of areas in scope, the newest first, at most `limit`."""
    statement = select(*_change).where(within(_change.area_no, scope))
    if state is not None:
        statement = statement.where(_change.state == state)
    if after is not None:
        made_ms, last = after
        statement = statement.where(
            (_change.created_ms < made_ms)
            | ((_change.created_ms == made_ms) & (_change.id < last))
        )
    order = (_change.created_ms.desc(), _change.id.desc())
    return db.execute(statement.order_by(*order).limit(limit)).all()


def change_in(
    db: Connection, scope: Scope, change_id: str, *, locked: bool = False
) -> AnyRow | None:
    """One boundary change in scope or None; `locked` keeps others from changing it."""
    statement = select(*_change).where(within(_change.area_no, scope), _change.id == change_id)
    if locked and db.dialect.name == "postgresql":
        statement = statement.with_for_update()
    return db.execute(statement).one_or_none()


def same_draft(db: Connection, wanted: Mapping[str, Any]) -> str | None:
    """Id of a draft by the same account that says and stands on the same, or None."""
    alike = ("area_id", "drawn_by", "reason", "content", "base")
    statement = (
        select(_change.id)
        .where(_change.state == "draft", *(_change[name] == wanted[name] for name in alike))
        .order_by(_change.created_ms, _change.id)
        .limit(1)
    )
    return db.execute(statement).scalar_one_or_none()


def add_change(db: Connection, row: Mapping[str, Any]) -> None:
    """Insert a boundary change."""
    db.execute(insert(BoundaryChange.__table__).values(**row))


def save_change(db: Connection, change_id: str, values: Mapping[str, Any]) -> None:
    """Set columns of a boundary change and advance its revision."""
    db.execute(
        update(BoundaryChange.__table__)
        .where(_change.id == change_id)
        .values(**values, rev=_change.rev + 1)
    )


def areas_named(db: Connection, scope: Scope, names: Sequence[str]) -> Sequence[AnyRow]:
    """`(id, code, lo, hi, level)` of the areas in scope whose id or code is one of `names`."""
    columns = (_area.id, _area.code, _area.name, _area.lo, _area.hi, _area.level)
    ids = [each for each in names if len(each) == 36]
    named = (
        or_(among(db, _area.code, list(names)), among(db, _area.id, ids))
        if ids
        else among(db, _area.code, list(names))
    )
    return db.execute(select(*columns).where(within(_area.lo, scope), named)).all()


def area_above(db: Connection, numbers: Sequence[int]) -> AnyRow | None:
    """`(id, lo)` of the lowest area that holds all these area numbers, or None."""
    statement = (
        select(_area.id, _area.lo)
        .where(_area.lo <= min(numbers), _area.hi >= max(numbers), _area.level < 5)
        .order_by(_area.level.desc())
        .limit(1)
    )
    return db.execute(statement).one_or_none()


def grids_in_force(db: Connection, scope: Scope, grid_ids: Sequence[str]) -> dict[str, AnyRow]:
    """Those of `grid_ids` in scope and in force, with their geometry, by id."""
    columns = (_grid.id, _grid.rev, _grid.code, _grid.name, _grid.community_id, _grid.area_no)
    statement = select(*columns, _grid.geom).where(
        within(_grid.area_no, scope),
        among(db, _grid.id, list(grid_ids)),
        _grid.valid_to_ms.is_(None),
    )
    return {row.id: row for row in db.execute(statement)}


def grids_of(db: Connection, community_ids: Sequence[str]) -> Sequence[AnyRow]:
    """`(id, code, name, community_id, geom)` of all grids in force of some communities."""
    columns = (_grid.id, _grid.code, _grid.name, _grid.community_id, _grid.geom)
    statement = select(*columns).where(
        among(db, _grid.community_id, list(community_ids)), _grid.valid_to_ms.is_(None)
    )
    return db.execute(statement.order_by(_grid.code, _grid.id)).all()


def grids_around(db: Connection, bounds: Bounds) -> Sequence[AnyRow]:
    """`(id, code, geom)` of every grid in force whose bounding box meets `bounds`."""
    near = bbox_filter(db.dialect.name, Grid.__table__, bounds)
    statement = select(_grid.id, _grid.code, _grid.geom).where(
        near, _grid.valid_to_ms.is_(None)
    )
    return db.execute(statement.order_by(_grid.code, _grid.id)).all()


def _touched(
    db: Connection, table: Any, grid_ids: Sequence[str], bounds: Bounds | None
) -> ColumnElement[bool]:
    """The condition that a feature lives in one of the grids, or lies near new ground."""
    lives: ColumnElement[bool] = among(db, table.c.grid_id, list(grid_ids))
    if bounds is None:
        return lives
    return or_(lives, bbox_filter(db.dialect.name, table, bounds))


def dwellings_on(
    db: Connection, scope: Scope, grid_ids: Sequence[str], bounds: Bounds | None
) -> Sequence[AnyRow]:
    """`(id, grid_id, rev, wkb)` of the dwellings of some grids or near new ground, unordered.

    Those put away too.
    """
    table = Dwelling.__table__
    wkb = as_wkb(db.dialect.name, table).label("wkb")
    statement = select(_dwelling.id, _dwelling.grid_id, _dwelling.rev, wkb).where(
        within(_dwelling.area_no, scope), _touched(db, table, grid_ids, bounds)
    )
    return db.execute(statement).all()


def households_on(
    db: Connection, scope: Scope, grid_ids: Sequence[str], bounds: Bounds | None
) -> Mapping[str, int]:
    """Dwelling id to the number of its households, for the dwellings of `dwellings_on`.

    A household lives in the grid of its dwelling. Those that moved out or were put away are
    not counted.
    """
    homes = HOUSEHOLDS.within(db, scope).c
    statement = select(homes.dwelling_id).where(
        ~homes.archived, func.coalesce(homes.status, "") != _MOVED_OUT
    )
    lives = among(db, homes.grid_id, list(grid_ids))
    if bounds is not None:
        near = select(_dwelling.id).where(
            bbox_filter(db.dialect.name, Dwelling.__table__, bounds)
        )
        lives = or_(lives, homes.dwelling_id.in_(near))
    # Counted here: grouping a hundred thousand ids costs the database more than sending them.
    return Counter(db.execute(statement.where(lives)).scalars())


def open_incidents_on(
    db: Connection, scope: Scope, grid_ids: Sequence[str], bounds: Bounds | None
) -> Sequence[AnyRow]:
    """`(id, grid_id, rev, wkb, tasks)` of the open incidents of some grids or near new ground.

    `wkb` is None for one without a place; `tasks` counts the open ones.
    """
    table = Incident.__table__
    touched = _touched(db, table, grid_ids, bounds)
    opened = _task.state.in_(sorted(OPEN_TASK)) & ~_task.archived
    tasks = (
        select(_task.incident_id, func.count().label("tasks"))
        .join(table, _incident.id == _task.incident_id)
        .where(touched, opened)
        .group_by(_task.incident_id)
        .subquery()
    )
    statement = (
        select(
            _incident.id,
            _incident.grid_id,
            _incident.rev,
            as_wkb(db.dialect.name, table).label("wkb"),
            func.coalesce(tasks.c.tasks, 0).label("tasks"),
        )
        .select_from(table.outerjoin(tasks, tasks.c.incident_id == _incident.id))
        .where(
            within(_incident.area_no, scope),
            touched,
            _incident.grid_id.is_not(None),
            ~_incident.state.in_(sorted(TERMINAL["incident"])),
            ~_incident.archived,
        )
        .order_by(_incident.id)
    )
    return db.execute(statement).all()


def occupants(db: Connection, grid_ids: Sequence[str]) -> dict[str, int]:
    """Record id to revision of the dwellings and the open incidents of some grids."""
    dwellings = select(_dwelling.id, _dwelling.rev).where(
        among(db, _dwelling.grid_id, list(grid_ids))
    )
    incidents = select(_incident.id, _incident.rev).where(
        among(db, _incident.grid_id, list(grid_ids)),
        ~_incident.state.in_(sorted(TERMINAL["incident"])),
        ~_incident.archived,
    )
    return {row.id: row.rev for row in db.execute(dwellings.union_all(incidents))}


def holders(db: Connection, numbers: Sequence[int], now_ms: int) -> Sequence[AnyRow]:
    """`(id, login, lo, hi)` of the workers' assignments in force over any of these grids.

    `numbers` are area numbers of grids.
    """
    statement = (
        select(_account.login, _area.lo, _area.hi)
        .join(Account.__table__, _account.id == _assignment.account_id)
        .join(Area.__table__, _area.id == _assignment.area_id)
        .where(
            holds_at(_assignment, now_ms),
            _account.role == Role.WORKER.value,
            _account.active,
            _area.lo <= max(numbers),
            _area.hi >= min(numbers),
        )
        .order_by(_account.login, _area.lo)
    )
    return db.execute(statement).all()


def direct_assignments(
    db: Connection, grid_ids: Sequence[str], now_ms: int
) -> Sequence[AnyRow]:
    """`(id, account_id, login, area_id, valid_to_ms)` of those of the grids themselves."""
    statement = (
        select(
            _assignment.id,
            _assignment.account_id,
            _account.login,
            _assignment.area_id,
            _assignment.valid_to_ms,
        )
        .join(Account.__table__, _account.id == _assignment.account_id)
        .where(among(db, _assignment.area_id, list(grid_ids)), holds_at(_assignment, now_ms))
        .order_by(_assignment.id)
    )
    return db.execute(statement).all()


def add_assignments(db: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert assignments that do not exist yet and return how many those were."""
    return insert_new(db, Assignment.__table__, rows, ("id",))


def end_assignments(db: Connection, ids: Sequence[str], at_ms: int) -> None:
    """Set the end of assignments that have none, or a later one."""
    db.execute(
        update(Assignment.__table__)
        .where(
            among(db, _assignment.id, list(ids)),
            _assignment.valid_to_ms.is_(None) | (_assignment.valid_to_ms > at_ms),
        )
        .values(valid_to_ms=at_ms)
    )


def add_lineage(db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert lineage."""
    key = ("change_id", "parent_id", "child_id")
    upsert(db, GridLineage.__table__, rows, key=key, update=None)


def name_versions(db: Connection, grid_ids: Sequence[str], change_id: str) -> None:
    """Say of the versions just opened of some grids which change they came from."""
    version = GridVersion.__table__.c
    db.execute(
        update(GridVersion.__table__)
        .where(
            among(db, version.grid_id, list(grid_ids)),
            version.valid_to_ms.is_(None),
            version.change_id.is_(None),
        )
        .values(change_id=change_id)
    )
