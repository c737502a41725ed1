"""A phone written down by hand: raw `/v1/sync` requests, so that tests see the wire itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from server.clock import new_id
from sync.rfc3339 import format_wall

WALL_MS = 1_790_000_000_000


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"authorization": f"Bearer {token}"}


def clock(
    uptime_ms: int = 1_000_000, wall_ms: int = WALL_MS, boot: str = "boot"
) -> dict[str, Any]:
    """A clock reading on the wire."""
    return {"wall": format_wall(wall_ms), "uptime_ms": uptime_ms, "boot": boot}


@dataclass
class RawPhone:
    """An enrolled device with a lease; every request is spelled out by the test."""

    client: httpx.AsyncClient
    id: str
    token: str
    lease: str | None = None
    last_n: int = 0
    cursors: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    async def enrol(cls, client: httpx.AsyncClient, worker_token: str) -> "RawPhone":
        """Enrol a new device of the worker."""
        answer = await client.post(
            "/v1/devices",
            json={"name": "phone", "app_version": "1"},
            headers=bearer(worker_token),
        )
        assert answer.status_code == 201, answer.text
        body = answer.json()
        return cls(client=client, id=body["id"], token=body["token"])

    def change(self, record: str, kind: str, base: int, **members: Any) -> dict[str, Any]:
        """The next mutation of this phone."""
        self.last_n += 1
        body = {
            "n": self.last_n,
            "record": record,
            "kind": kind,
            "base": base,
            "clock": clock(),
        }
        return body | members

    def report(self, lon_e7: int, lat_e7: int, **fields: Any) -> dict[str, Any]:
        """A new report at a place, of class 0102 unless said otherwise."""
        position = {"lon_e7": lon_e7, "lat_e7": lat_e7, "datum": "wgs84", "accuracy_cm": 500}
        set_ = {"class": "0102", **fields}
        return self.change(new_id(), "report", 0, set=set_, position=position)

    def body(
        self, mutations: Sequence[Mapping[str, Any]] = (), **members: Any
    ) -> dict[str, Any]:
        """A whole request."""
        body: dict[str, Any] = {
            "protocol": 1,
            "app": {"version": "1.0", "schema": 1},
            "clock": clock(uptime_ms=2_000_000),
            "last_n": self.last_n,
            "mutations": list(mutations),
            "buckets": list(self.cursors.values()),
        }
        if self.lease is not None:
            body["lease"] = self.lease
        return body | members

    async def post(self, body: Mapping[str, Any]) -> httpx.Response:
        """Send a request as it is."""
        return await self.client.post("/v1/sync", json=body, headers=bearer(self.token))

    async def sync(
        self, mutations: Sequence[Mapping[str, Any]] = (), **members: Any
    ) -> dict[str, Any]:
        """Send mutations, keep the lease and the cursors, return the reply."""
        answer = await self.post(self.body(mutations, **members))
        assert answer.status_code == 200, answer.text
        reply: dict[str, Any] = answer.json()
        self.lease = reply["lease"]
        for page in reply["buckets"]:
            names = ("id", "epoch", "seq", "digest")
            self.cursors[page["id"]] = {name: page[name] for name in names}
        for bucket in reply["scope"]["leave"]:
            self.cursors.pop(bucket, None)
        return reply


def outcomes(reply: Mapping[str, Any]) -> dict[int, str]:
    """n to outcome, for every mutation the reply mentions."""
    return {each["n"]: each["outcome"] for each in reply["outcomes"]}


def held(reply: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Record id to item, for everything the reply puts."""
    return {item["record"]: item for page in reply["buckets"] for item in page["put"]}
