"""What the caller may know of grids that were found, and the answer made of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from geo.areas import line_of
from server.areas.queries import scope_of
from server.areas.scope import Scope
from server.grids.queries import GridRow, grids_named, grids_named_at
from server.identity.principal import Principal, Role
from server.identity.rules import sees_workers
from server.locate.finding import Found
from server.locate.queries import AnyRow, areas_named, workers_at
from server.locate.schemas import (
    CommunityAnswer,
    GridAnswer,
    PlaceAnswer,
    PlaceCandidate,
    WorkerAnswer,
)
from server.servicepoints.queries import PointRow, points_over
from server.servicepoints.reading import distance_m, office_of
from server.servicepoints.schemas import OfficeAnswer

WORKERS_MAX = 8
_DEGREE_DIGITS = 7
_METRE_DIGITS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asks, when that is judged, and the moment it is about; None is now."""

    principal: Principal
    now_ms: int
    as_of_ms: int | None

    @property
    def at_ms(self) -> int:
        """The moment that the answer is about."""
        return self.now_ms if self.as_of_ms is None else self.as_of_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the caller may know at a moment, of the grids in their scope alone.

    `offices` are the service points of the smallest area around each grid that has any.
    """

    at_ms: int
    grids: Mapping[str, GridAnswer]
    offices: Mapping[str, Sequence[PointRow]]


def known_of(db: Connection, asked: Asked, found: Sequence[Found]) -> Known:
    """Return what the caller may know of all candidates, as it was at the moment asked for.

    What they may see is decided by their areas of now.
    """
    named = sorted({each.grid for one in found for each in one.location})
    scope = scope_of(db, asked.principal, asked.now_ms)
    rows = _grids(db, scope, asked, named) if named else {}
    if not rows:
        return Known(at_ms=asked.at_ms, grids={}, offices={})
    communities = areas_named(db, sorted({row.community_id for row in rows.values()}))
    by_id = {row.id: row for row in communities}
    lines = {grid: tuple(line_of(row.area_no)) for grid, row in rows.items()}
    area_nos = sorted({number for line in lines.values() for number in line})
    offices = _by_area(points_over(db, area_nos, at_ms=asked.at_ms), "area_no")
    workers = _workers(db, scope, asked, lines=lines, area_nos=area_nos)
    return Known(
        at_ms=asked.at_ms,
        offices={grid: _nearest(line, offices) for grid, line in lines.items()},
        grids={
            grid: GridAnswer(
                id=grid,
                code=row.code,
                name=row.name,
                community=_community(by_id.get(row.community_id)),
                workers=workers.get(grid),
            )
            for grid, row in rows.items()
        },
    )


def _by_area(rows: Iterable[AnyRow], name: str) -> dict[int, list[AnyRow]]:
    """Rows by the area number in the column `name`, each list in their order."""
    found: dict[int, list[AnyRow]] = {}
    for row in rows:
        found.setdefault(getattr(row, name), []).append(row)
    return found


def _grids(
    db: Connection, scope: Scope, asked: Asked, named: Sequence[str]
) -> dict[str, GridRow]:
    if asked.as_of_ms is None:
        return grids_named(db, scope, named)
    return grids_named_at(db, scope, named, as_of_ms=asked.as_of_ms)


def _community(row: AnyRow | None) -> CommunityAnswer | None:
    return None if row is None else CommunityAnswer(id=row.id, code=row.code, name=row.name)


def _workers(
    db: Connection,
    scope: Scope,
    asked: Asked,
    *,
    lines: Mapping[str, Iterable[int]],
    area_nos: Sequence[int],
) -> dict[str, list[WorkerAnswer]]:
    """Who answers for each grid, by id; empty for those who may not know."""
    principal = asked.principal
    if not sees_workers(principal):
        return {}
    assigned = _by_area(workers_at(db, scope, area_nos, now_ms=asked.at_ms), "lo")
    return {grid: _told(principal, _nearest(line, assigned)) for grid, line in lines.items()}


def _nearest(line: Iterable[int], known: Mapping[int, Sequence[AnyRow]]) -> Sequence[AnyRow]:
    """What is known of the smallest area of which anything is."""
    return next((known[number] for number in line if number in known), ())


def _told(principal: Principal, rows: Sequence[AnyRow]) -> list[WorkerAnswer]:
    return [
        WorkerAnswer(login=row.login, area=row.area_id, area_code=row.code)
        for row in rows
        if principal.role is not Role.WORKER or row.account_id == principal.account
    ][:WORKERS_MAX]


def grids_told(known: Known) -> list[GridAnswer]:
    """Every grid in the answer once, by code."""
    return sorted(known.grids.values(), key=lambda each: (each.code, each.id))


def place_told(found: Found, known: Known) -> PlaceAnswer:
    """Return the answer about one position: the candidates the caller may see."""
    candidates = [
        PlaceCandidate(
            grid=each.grid,
            inside=each.inside,
            share=found.shares.get(each.grid, 0.0),
            distance_to_edge_m=round(each.distance_to_edge_m, _METRE_DIGITS),
        )
        for each in found.location
        if each.grid in known.grids
    ]
    grid = candidates[0].grid if candidates and candidates[0].inside else None
    return PlaceAnswer(
        lon=round(found.disc.lon, _DEGREE_DIGITS),
        lat=round(found.disc.lat, _DEGREE_DIGITS),
        grid=grid,
        # A candidate you may not see still makes the place uncertain.
        certain=found.location.certain and bool(candidates),
        candidates=candidates,
        service_point=None if grid is None else _office(found, known.offices[grid]),
    )


def _office(found: Found, offices: Sequence[PointRow]) -> str | None:
    """The nearest of some service points, of equally near ones the lowest id."""
    if len(offices) < 2:
        return offices[0].id if offices else None
    lon, lat = found.disc.lon, found.disc.lat
    return str(min(offices, key=lambda row: (distance_m(row, lon, lat), row.id)).id)


def offices_told(places: Iterable[PlaceAnswer], known: Known) -> list[OfficeAnswer]:
    """Every service point that the places name once, by id."""
    named = {place.service_point for place in places}
    rows = {row.id: row for each in known.offices.values() for row in each}
    return [office_of(rows[id_], at_ms=known.at_ms) for id_ in sorted(rows) if id_ in named]
