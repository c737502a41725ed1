"""How many grids a worker may hold: no more than a phone can; any excess is told."""

from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from geo.areas import Span, child_span
from server.clock import new_id
from server.db.store import Store
from server.db.tables import Announcement, Area
from server.doctor import holdings_finding
from server.identity.principal import Role
from server.identity.queries import assign, create_account
from server.problems import InvalidParameter
from server.replication.pull import allowed_buckets
from sync.exchange import AREAS_MAX, GRIDS_MAX

pytestmark = [pytest.mark.anyio, pytest.mark.db]
NOW_MS = 1_790_000_000_000
STREETS = ("east", "west")


def _area(db: Connection, code: str, level: int, span: Span, parent: str | None) -> str:
    made = new_id()
    db.execute(
        insert(Area).values(
            id=made,
            code=code,
            name=code,
            level=level,
            parent_id=parent,
            lo=span.lo,
            hi=span.hi,
        )
    )
    return made


class Tree:
    """A city, a district and two communities, east and west, that grids are added to."""

    def __init__(self, db: Connection) -> None:
        city = child_span(None, 1, 1)
        district = child_span(city, 2, 1)
        street = child_span(district, 3, 1)
        above = _area(db, "city", 1, city, None)
        above = _area(db, "district", 2, district, above)
        above = _area(db, "street", 3, street, above)
        self.spans = {
            code: child_span(street, 4, at) for at, code in enumerate(STREETS, start=1)
        }
        self.ids = {code: _area(db, code, 4, self.spans[code], above) for code in STREETS}
        self.sizes = dict.fromkeys(STREETS, 0)

    def grow(self, db: Connection, code: str, count: int) -> None:
        for _ in range(count):
            self.sizes[code] += 1
            at = self.sizes[code]
            span = child_span(self.spans[code], 5, at)
            _area(db, f"{code}-{at}", 5, span, self.ids[code])


def worker(db: Connection, area: str) -> str:
    return create_account(db, login="ann", role=Role.WORKER, area_code=area, now_ms=NOW_MS)


async def test_a_worker_may_hold_as_many_grids_as_a_phone_can(store: Store) -> None:
    def work(db: Connection) -> None:
        tree = Tree(db)
        tree.grow(db, "east", GRIDS_MAX)
        tree.grow(db, "west", 1)
        account = worker(db, "east")
        assert len(allowed_buckets(db, account, NOW_MS)) == GRIDS_MAX + 2
        assign(db, account=account, area=tree.ids["east"], now_ms=NOW_MS)
        finding = holdings_finding(db, NOW_MS)
        assert (finding.ok, finding.detail) == (True, "every worker's grids fit on a phone")
        with pytest.raises(InvalidParameter) as refused:
            assign(db, account=account, area=tree.ids["west"], now_ms=NOW_MS)
        assert refused.value.detail == (
            "The worker would hold 199 grids and a phone holds 198: choose a smaller area."
        )
        assert refused.value.extensions == {"parameter": "area"}

    await store.write(work)


async def test_no_account_is_made_for_an_area_that_is_too_large(store: Store) -> None:
    def work(db: Connection) -> None:
        Tree(db).grow(db, "east", GRIDS_MAX + 1)
        worker(db, "east")

    with pytest.raises(InvalidParameter):
        await store.write(work)


async def test_an_area_that_grew_too_large_afterwards_is_found(store: Store) -> None:
    def work(db: Connection) -> None:
        tree = Tree(db)
        account = worker(db, "east")
        tree.grow(db, "east", GRIDS_MAX + 2)
        finding = holdings_finding(db, NOW_MS)
        assert not finding.ok
        assert finding.detail == f"more than 198 grids: account {account} (200)"
        assert holdings_finding(db, NOW_MS - 1).ok

    await store.write(work)


async def test_of_many_areas_that_announce_something_the_first_are_held(store: Store) -> None:
    def work(db: Connection) -> None:
        tree = Tree(db)
        tree.grow(db, "east", AREAS_MAX + 3)
        account = worker(db, "east")
        areas = db.execute(select(Area.id, Area.lo).order_by(Area.lo)).all()
        rows = [_announcement(each.id, each.lo) for each in areas for _ in range(2)]
        db.execute(insert(Announcement).values(rows))
        allowed = allowed_buckets(db, account, NOW_MS)
        west = tree.ids["west"]
        first = [each.id for each in areas if each.id != west][:AREAS_MAX]
        assert allowed[2 : AREAS_MAX + 2] == [f"area:{each}" for each in first]
        assert len(allowed) == 2 + AREAS_MAX + AREAS_MAX + 3

    await store.write(work)


def _announcement(area: str, area_no: int) -> dict[str, Any]:
    times = dict.fromkeys(("created_ms", "updated_ms"), NOW_MS)
    said = {"title": "Water off", "text": "On Tuesday.", "valid_until_ms": NOW_MS + 1}
    place = {"area_id": area, "area_no": area_no, "grid_id": None}
    return {"id": new_id(), "rev": 1, "archived": False, **times, **said, **place}
