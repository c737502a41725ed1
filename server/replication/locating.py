"""Which grid a measured position lies in: one immutable index per published set of boundaries.

The index is shared by the write path and by `/v1/locate`, so a report and a lookup of the
same place cannot disagree. It is rebuilt when the counter `grids` moved, which the write path
does in the transaction that changes a boundary, and swapped as a whole.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine

from geo.datum import to_wgs84
from geo.history import GridHistory, Version
from geo.locate import GridIndex
from server.replication import queries, version_queries
from sync.mutation import Malformed, Mutation, Position
from sync.push import Located

E7 = 10**7


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """An index, the area number of each grid in it, and the version of the boundaries."""

    version: int
    index: GridIndex
    area_nos: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """An index of all versions of the grids and the version of the boundaries it is from."""

    version: int
    history: GridHistory


_published: WeakKeyDictionary[Engine, Published] = WeakKeyDictionary()
_remembered: WeakKeyDictionary[Engine, Remembered] = WeakKeyDictionary()


def published(db: Connection) -> Published:
    """The index of the boundaries this transaction sees."""
    version = queries.counter_value(db, queries.GRIDS_VERSION)
    known = _published.get(db.engine)
    if known is None or known.version != version:
        rows = queries.grid_shapes(db)
        index = GridIndex.build(
            {row.id: row.geom for row in rows}, {row.id: row.code for row in rows}
        )
        numbers = {row.id: row.area_no for row in rows}
        known = Published(version=version, index=index, area_nos=numbers)
        _published[db.engine] = known
    return known


def remembered(db: Connection) -> Remembered:
    """The index of every version of every grid; made when somebody first asks for the past."""
    version = queries.counter_value(db, queries.GRIDS_VERSION)
    known = _remembered.get(db.engine)
    if known is None or known.version != version:
        rows = version_queries.all_versions(db)
        history = GridHistory(
            [
                Version(
                    grid=row.grid_id,
                    code=row.code,
                    from_ms=row.valid_from_ms,
                    to_ms=row.valid_to_ms,
                )
                for row in rows
            ],
            [row.geom for row in rows],
        )
        known = Remembered(version=version, history=history)
        _remembered[db.engine] = known
    return known


def place(index: GridIndex, position: Position) -> Located:
    """Convert one position to WGS 84 and name the grid it most likely lies in."""
    lon, lat = to_wgs84(position.lon_e7 / E7, position.lat_e7 / E7, position.datum.value)
    location = index.locate(lon, lat, position.accuracy_cm / 100)
    return Located(
        grid=location.grid,
        lon_e7=round(lon * E7),
        lat_e7=round(lat * E7),
        certain=location.certain,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lying:
    """Where the positions of a batch lie, by n, and among what; None if it has none."""

    published: Published | None
    located: Mapping[int, Located]

    @property
    def version(self) -> int | None:
        """The version of the boundaries that anything was located in, None if nothing was."""
        return self.published.version if self.published and self.located else None


def locate_all(
    db: Connection, batches: Sequence[Iterable[Mutation | Malformed]]
) -> list[Lying]:
    """For each batch, locate every mutation with a position, by n; no query if none has one."""
    placed = [
        [
            (each.n, each.position)
            for each in batch
            if isinstance(each, Mutation) and each.position is not None
        ]
        for batch in batches
    ]
    if not any(placed):
        return [Lying(published=None, located={}) for _ in placed]
    known = published(db)
    return [
        Lying(published=known, located={n: place(known.index, each) for n, each in batch})
        for batch in placed
    ]
