"""Accounts and tokens without any registry data: a district with two communities."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import httpx
import pytest
from sqlalchemy import Connection, insert

from geo.areas import Span, child_span
from server.app import create_app
from server.clock import new_id, now_ms
from server.db.store import Store
from server.db.tables import Area
from server.identity.principal import Role
from server.identity.queries import create_account, create_token
from server.settings import Settings

LOGINS = {
    "ann": (Role.WORKER, "N1"),
    "ben": (Role.WORKER, "N1"),
    "cat": (Role.WORKER, "N2"),
    "dispatcher": (Role.DISPATCHER, "D"),
    "dispatcher-n1": (Role.DISPATCHER, "N1"),
    "analyst": (Role.ANALYST, "D"),
    "admin": (Role.ADMIN, None),
}


@dataclass(frozen=True, slots=True)
class People:
    accounts: Mapping[str, str]
    tokens: Mapping[str, str]

    def as_(self, login: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.tokens[login]}"}


def add_area(db: Connection, code: str, level: int, parent: str | None, span: Span) -> str:
    area = new_id()
    values = {"code": code, "name": code, "level": level, "lo": span.lo, "hi": span.hi}
    db.execute(insert(Area).values(id=area, parent_id=parent, **values))
    return area


def build_people(db: Connection) -> People:
    city = child_span(None, 1, 1)
    district = child_span(city, 2, 1)
    street = child_span(district, 3, 1)
    city_id = add_area(db, "C", 1, None, city)
    district_id = add_area(db, "D", 2, city_id, district)
    street_id = add_area(db, "S", 3, district_id, street)
    add_area(db, "N1", 4, street_id, child_span(street, 4, 1))
    add_area(db, "N2", 4, street_id, child_span(street, 4, 2))
    now = now_ms()
    accounts = {
        login: create_account(db, login=login, role=role, area_code=code, now_ms=now)
        for login, (role, code) in LOGINS.items()
    }
    tokens = {
        login: create_token(db, account=account, now_ms=now)
        for login, account in accounts.items()
    }
    return People(accounts, tokens)


@pytest.fixture
async def people(store: Store) -> People:
    return await store.write(build_people)


@pytest.fixture
async def api(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(), store=store)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
        yield opened
