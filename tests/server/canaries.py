"""A household with canaries in it, and the search for them in every table."""

import re
from typing import Any

from sqlalchemy import Connection, text

from server.clock import new_id
from server.db.reach import everywhere
from server.db.store import Store
from server.db.tables import METADATA
from server.replication.refold import refold
from server.replication.reproject import compare
from tests.server.desk import Desk
from tests.server.phones import RawPhone
from tests.world import World

ASKED = {"reason": "person_asked"}
CANARY = "canary-"


def everything(db: Connection, *, besides: tuple[str, ...] = ()) -> str:
    """Every column of every row of every table but those named `besides`, bytes as text."""
    everywhere(db)
    found = []
    for table in METADATA.sorted_tables:
        if table.name in besides:
            continue
        rows = db.execute(text(f"SELECT * FROM {table.name}")).all()  # noqa: S608 - a name of ours
        for row in rows:
            found += [
                bytes(each).decode(errors="replace")
                if isinstance(each, (bytes, memoryview))
                else str(each)
                for each in row
            ]
    return "\n".join(found)


async def canaries(store: Store) -> set[str]:
    """The canaries that are anywhere in the tables."""
    whole = await store.read(everything)
    return set(re.findall(f"{CANARY}([a-z]+)", whole))


async def differences(store: Store) -> list[Any]:
    def found(db: Connection) -> list[Any]:
        return [*compare(db), *refold(db)]

    return await store.read(found)


class Household:
    """A household with a canary in every field that can say something of people."""

    def __init__(self, phone: RawPhone, world: World) -> None:
        self.phone, self.world = phone, world
        self.id, self.resident = new_id(), new_id()
        self.visit, self.note, self.waiting = new_id(), new_id(), new_id()

    def mutations(self) -> list[dict[str, Any]]:
        phone = self.phone
        return [
            phone.change(
                self.id,
                "household",
                0,
                set={
                    "dwelling": self.world.dwellings["G1"],
                    "door": f"{CANARY}door",
                    "contact_phone": f"{CANARY}contact",
                },
                add={"languages": [f"{CANARY}lang"]},
            ),
            phone.change(
                self.resident,
                "resident",
                0,
                set={
                    "household": self.id,
                    "name": f"{CANARY}name",
                    "phone": f"{CANARY}phone",
                    "status": "active",
                },
            ),
            phone.change(
                self.visit,
                "visit",
                0,
                set={"household": self.id, "outcome": "done", "text": f"{CANARY}visit"},
            ),
            phone.change(
                self.note, "note", 0, set={"parent": self.resident, "text": f"{CANARY}note"}
            ),
            phone.change(self.id, "household", 1, set={"contact_phone": f"{CANARY}past"}),
            phone.change(self.id, "household", 9, set={"door": f"{CANARY}held"}),
            phone.change(
                self.resident, "resident", 1, set={"name": 7, "phone": f"{CANARY}bad"}
            ),
            phone.change(
                self.waiting,
                "note",
                5,
                set={"parent": self.resident, "text": f"{CANARY}waiting"},
            ),
            phone.change(self.note, "note", 0, clock=f"{CANARY}unread", set={}),
        ]


async def rev_of(desk: Desk, household: str) -> int:
    answer = await desk.get(f"/v1/households/{household}", "dispatcher")
    assert answer.status_code == 200
    return int(answer.json()["rev"])


async def erased(desk: Desk, home: Household, **more: Any) -> dict[str, Any]:
    rev = await rev_of(desk, home.id)
    path = f"/v1/records/{home.id}/erase"
    body: dict[str, Any] = await desk.done(path, "dispatcher", ASKED | more, rev=rev)
    return body
