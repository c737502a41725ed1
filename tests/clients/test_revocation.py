"""The revocation matrix: what a phone holds, and what became of its work, when rights change.

Each row is a story of a worker who begins with grid G1, told in steps. After the last one it
says whose homes the phone holds, and what became of the work, in its order. In every row, on
both stores: no reply ever holds a home outside the rights of that moment, work that waits is
never dropped, and the phone ends up to date.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, update
from typing_extensions import override

from clients.phone import Phone, SteppedClock
from server.clock import now_ms
from server.db.tables import Assignment
from server.identity.queries import assign
from tests.clients.test_catching_up import in_store, move
from tests.clients.test_real_server import Town, town

__all__ = ["town"]
pytestmark = pytest.mark.db
INSIDE = {"G1": {"G1"}, "G2": {"G2"}, "G3": {"G3"}, "N1": {"G1", "G2"}, "N2": {"G3", "G4"}}


class Watched(httpx.HTTPTransport):
    """A real connection that looks at every reply before the phone does, and may break it off.

    `fault` is `lost` (nothing arrives) or `cut` (the reply ends in the middle), for one reply.
    """

    def __init__(self, story: "Story") -> None:
        super().__init__()
        self.story = story
        self.fault = ""

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        response.read()
        if request.url.path == "/v1/sync" and response.status_code == httpx.codes.OK:
            self.story.look(response.json())
        fault, self.fault = self.fault, ""
        if fault == "lost":
            raise httpx.ReadError("no reply came back", request=request)
        content = response.content[: len(response.content) // 2 if fault else None]
        headers = {"content-type": response.headers["content-type"]}
        return httpx.Response(response.status_code, headers=headers, content=content)


@dataclass
class Story:
    """One worker, one phone, and a plain book of who may see what."""

    town: Town
    rights: list[str] = field(default_factory=lambda: ["G1"])
    lives: dict[str, str] = field(default_factory=dict)
    works: list[int] = field(default_factory=list)
    left: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.account = self.town.world.accounts["ann"]
        self.homes = dict(self.town.world.households)
        self.lives = {home: code for code, home in self.homes.items()}
        self.line = Watched(self)
        self.clock = SteppedClock(wall_ms=now_ms(), uptime_ms=10**7, boot="b")
        http = httpx.Client(transport=self.line)
        self.town.clients.append(http)
        chance = random.Random(7)  # noqa: S311
        self.phone = Phone(":memory:", http, clock=self.clock, chance=chance)
        self.phone.enrol(self.town.url, self.town.world.tokens["ann"])
        self.town.phones.append(self.phone)

    def look(self, reply: dict[str, Any]) -> None:
        """Check a reply against the book."""
        codes = set().union(*(INSIDE[each] for each in self.rights))
        buckets = {f"grid:{self.town.world.grids[code]}" for code in codes}
        for page in reply["buckets"]:
            assert page["id"] in buckets or not page["id"].startswith("grid:")
            for item in page["put"]:
                assert self.lives.get(item["record"]) in codes | {None}
        self.left |= set(reply["scope"]["leave"])
        assert not self.left & buckets & set(reply["scope"]["leave"])

    def tell(self, steps: Iterable[str]) -> None:
        for step in steps:
            verb, _, rest = step.partition(" ")
            getattr(self, verb)(*rest.split())

    # what happens

    def sync(self) -> None:
        waiting = self.phone.pending()
        report = self.phone.sync()
        assert {*self.phone.pending(), *report.outcomes} >= set(waiting)
        self.report = report

    def gain(self, code: str) -> None:
        area = self.town.world.areas[code]
        in_store(
            self.town,
            lambda db: assign(db, account=self.account, area=area, now_ms=now_ms() - 1),
        )
        self.rights.append(code)

    def lose(self, code: str) -> None:
        area, table = self.town.world.areas[code], Assignment.__table__

        def end(db: Connection) -> None:
            columns = table.c
            theirs = (columns.account_id == self.account) & (columns.area_id == area)
            open_ = theirs & columns.valid_to_ms.is_(None)
            db.execute(update(table).where(open_).values(valid_to_ms=now_ms()))

        in_store(self.town, end)
        self.rights.remove(code)

    def move(self, code: str, to: str) -> None:
        home = self.homes[code]
        move(self.town, home, 1, to)
        self.lives[home] = to

    def revoke(self) -> None:
        token = self.town.world.tokens["admin"]
        answer = httpx.post(
            f"{self.town.url}/v1/devices/{self.phone.device}/revoke",
            headers={"authorization": f"Bearer {token}"},
        )
        assert answer.status_code == 204
        self.rights.clear()

    def edit(self, code: str) -> None:
        self.works.append(self.phone.edit(self.homes[code], set={"door": "new"}))

    def note(self, code: str) -> None:
        said = {"parent": self.homes[code], "text": "was here"}
        self.phone.create("note", set=said)
        self.works.append(self.phone.pending()[-1])

    def late(self) -> None:
        """Let what was done before have been done an hour ago, and what comes, only now."""
        self.clock.advance(3_600_000)

    def lost(self) -> None:
        self.line.fault = "lost"

    def cut(self) -> None:
        self.line.fault = "cut"

    # what is there in the end

    def held(self) -> set[str]:
        return {code for code, home in self.homes.items() if self.phone.held(home)}

    def became(self) -> list[str]:
        outcomes = {each.n: str(each.outcome) for each in self.phone.outcomes()}
        return [outcomes[n] for n in self.works]


MATRIX: dict[str, tuple[str, str, str]] = {
    "gains a grid": ("sync, gain G2, sync", "G1 G2", ""),
    "loses a grid": ("gain G2, sync, lose G2, sync", "G1", ""),
    "loses everything": ("sync, lose G1, sync", "", ""),
    "gets a grid back": ("sync, lose G1, sync, gain G1, sync", "G1", ""),
    "gets it back before anybody noticed": ("sync, lose G1, gain G1, sync", "G1", ""),
    "loses one of two ways to a grid": ("gain N1, sync, lose G1, sync", "G1 G2", ""),
    "loses the other of two ways": ("gain N1, sync, lose N1, sync", "G1", ""),
    "loses both ways at once": ("gain N1, sync, lose G1, lose N1, sync", "", ""),
    "changes from the grid to the community": ("sync, lose G1, gain N1, sync", "G1 G2", ""),
    "changes to another community": ("sync, lose G1, gain N2, sync", "G3 G4", ""),
    "worked before losing it": ("sync, edit G1, late, lose G1, sync", "", "applied"),
    "worked after losing it": ("sync, lose G1, late, edit G1, sync", "", "held"),
    "states a fact after losing it": ("sync, lose G1, note G1, sync", "", "applied"),
    "worked, lost it, got it back": (
        "sync, edit G1, late, lose G1, gain G1, sync",
        "G1",
        "applied",
    ),
    "does not hear that it was lost": ("sync, lose G1, lost, sync, sync", "", ""),
    "hears half of it": ("sync, lose G1, cut, sync, sync", "", ""),
    "hears half of it, with work on the way": (
        "sync, edit G1, late, lose G1, cut, sync, sync",
        "",
        "applied",
    ),
    "gets it back before the second answer": (
        "sync, lose G1, lost, sync, gain G1, sync",
        "G1",
        "",
    ),
    "hears half of a gain": ("sync, gain G2, cut, sync, sync", "G1 G2", ""),
    "loses a gain that never arrived": ("sync, gain G2, lost, sync, lose G2, sync", "G1", ""),
    "a home moves to a grid that is kept": (
        "gain G2, sync, lose G2, move G2 G1, sync",
        "G1 G2",
        "",
    ),
    "a home moves away while all is lost": ("sync, move G1 G3, lose G1, sync", "", ""),
    "a home moves out of reach": ("sync, move G1 G3, sync", "", ""),
    "a home moves away and the answer is lost": ("sync, move G1 G3, lost, sync, sync", "", ""),
    "a home moves to where the worker goes": (
        "sync, move G1 G3, lose G1, gain G3, sync",
        "G1 G3",
        "",
    ),
    "worked before the home moved out of reach": (
        "sync, edit G1, late, move G1 G3, sync",
        "",
        "held",
    ),
    "is revoked": ("sync, revoke, sync", "", ""),
    "is revoked with work on the phone": ("sync, edit G1, note G1, revoke, sync", "", "q q"),
    "is revoked and hears half of it": ("sync, edit G1, revoke, cut, sync, sync", "", "q"),
}
SHORT = {"q": "quarantined"}


@pytest.mark.parametrize("name", MATRIX)
def test_rights_decide_what_is_held_and_work_is_never_lost(town: Town, name: str) -> None:
    steps, holds, became = MATRIX[name]
    story = Story(town)
    story.tell(steps.split(", "))
    assert story.report.failure is None
    assert story.report.up_to_date
    assert story.held() == set(holds.split())
    assert story.became() == [SHORT.get(each, each) for each in became.split()]
    assert story.phone.pending() == []


def test_nobody_is_told_to_leave_what_another_way_still_gives(town: Town) -> None:
    story = Story(town)
    story.tell(["gain N1", "sync", "lose G1", "sync", "gain G1", "lose N1", "sync"])
    assert story.left == {f"grid:{town.world.grids['G2']}"}
    assert story.held() == {"G1"}
