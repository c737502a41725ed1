"""An installation that keeps identity numbers, with keys of its own, and its calls."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, select

from server.accesslog.queries import NUMBER
from server.app import create_app
from server.clock import new_id, now_ms
from server.db.store import Store
from server.db.tables import AccessEntry, DataKeyRow
from server.identifiers.rules import check_character
from server.sealed.keyring import DistrictKey, new_key, write_keyring
from server.settings import Limits, Settings
from tests.server.desk import Desk
from tests.world import DAY_MS, World, done, draft

PURPOSE = "insurance"


def id_card(serial: int) -> str:
    """A number of the right shape that belongs to nobody: its region does not exist."""
    digits = f"999999{19000101 + serial % 28:08}{serial % 1000:03}"
    return digits + check_character(digits)


class Numbers:
    """Settings whose keys lie in a folder, and calls to an application made with them."""

    def __init__(self, folder: Path, *keys: DistrictKey) -> None:
        self.folder = folder
        self.file = folder / "keyring.json"
        self.vault = folder / "vault"
        self.put_keys(*(keys or (new_key("d1", "intl"),)))

    def put_keys(self, *keys: DistrictKey) -> None:
        self.keys = keys
        self.file.write_text(write_keyring(keys), encoding="utf-8")
        self.file.chmod(0o600)

    def settings(self, **more: Any) -> Settings:
        wanted = {
            "sealed_purposes": f"{PURPOSE},school",
            "sealed_keys": f"file:{self.file}",
            "sealed_vault": str(self.vault),
        }
        return Settings(**(wanted | more))

    @property
    def environment(self) -> dict[str, str]:
        return {
            "JINGWEI_ALLOW_UNSAFE": "1",
            "JINGWEI_SEALED_PURPOSES": PURPOSE,
            "JINGWEI_SEALED_KEYS": f"file:{self.file}",
            "JINGWEI_SEALED_VAULT": str(self.vault),
        }

    def data_keys(self) -> set[str]:
        """Ids of the data keys that lie in the vault."""
        return {each.name for each in self.vault.glob("??/*") if each.is_file()}

    @asynccontextmanager
    async def desk(
        self, store: Store, world: World, *, reveals: int = 50, **more: Any
    ) -> AsyncIterator[Desk]:
        limits = Limits(reveals=reveals, reveals_a_minute=100_000)
        app = create_app(self.settings(limits=limits, **more), store=store)
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield Desk(client, world)


async def residents(store: Store, world: World, code: str, count: int = 1) -> list[str]:
    """Let people live in a household of a grid; return their ids."""
    ids = [new_id() for _ in range(count)]
    drafts = [
        draft(each, "resident", {"household": world.households[code], "name": f"Nobody {at}"})
        for at, each in enumerate(ids)
    ]
    await store.write(lambda db: done(db, world.importer, drafts))
    return ids


def number_body(value: str, *, purpose: str = PURPOSE, days: float = 30) -> dict[str, Any]:
    return {
        "value": value,
        "purpose": purpose,
        "expires_ms": now_ms() + round(days * DAY_MS),
    }


def path_of(resident: str, kind: str = "id_card") -> str:
    return f"/v1/residents/{resident}/identifiers/{kind}"


async def put(desk: Desk, resident: str, value: str, **more: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {desk.world.tokens[more.pop('login', 'dispatcher')]}"}
    path = path_of(resident, more.pop("kind", "id_card"))
    return await desk.client.put(path, json=number_body(value, **more), headers=headers)


async def kept(desk: Desk, resident: str, value: str, **more: Any) -> None:
    answer = await put(desk, resident, value, **more)
    assert answer.status_code == 200, answer.text


async def remove(desk: Desk, resident: str, login: str = "dispatcher") -> httpx.Response:
    headers = {"authorization": f"Bearer {desk.world.tokens[login]}"}
    return await desk.client.delete(path_of(resident), headers=headers)


async def reveal(
    desk: Desk, resident: str, *, login: str = "dispatcher", purpose: str = PURPOSE
) -> httpx.Response:
    return await desk.post(f"{path_of(resident)}/reveal", login, {"purpose": purpose})


async def revealed(desk: Desk, resident: str) -> str:
    answer = await reveal(desk, resident)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["value"])


async def found(desk: Desk, value: str, login: str = "dispatcher") -> list[str]:
    body = {"kind": "id_card", "value": value, "purpose": PURPOSE}
    answer = await desk.done("/v1/identifiers/search", login, body)
    return [each["resident"] for each in answer["items"]]


def data_key_rows(db: Connection) -> list[tuple[str, bool]]:
    """`(id, doomed)` of the data keys the database names."""
    table = DataKeyRow.__table__.c
    rows = db.execute(select(table.id, table.doomed_ms).order_by(table.id)).all()
    return [(str(row.id), row.doomed_ms is not None) for row in rows]


def written_down(db: Connection) -> list[tuple[str, str | None]]:
    """`(act, resident)` of everything that was done with numbers, in order."""
    table = AccessEntry.__table__.c
    rows = db.execute(
        select(table.act, table.records)
        .where(table.kind == NUMBER)
        .order_by(table.at_ms, table.id)
    )
    return [(row.act, next(iter(json.loads(row.records)), None)) for row in rows]
