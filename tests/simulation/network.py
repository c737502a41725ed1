"""The model server behind HTTP: what a phone's client sees of it."""

import gzip
import itertools
import json
from collections.abc import Callable

import httpx
from typing_extensions import override

from sync.errors import ProtocolError, UnsupportedProtocol
from sync.wire import decode_request
from tests.simulation.files import File
from tests.simulation.model import ModelServer, StaleLease


class ModelTransport(httpx.BaseTransport):
    """`POST /v1/devices` and `POST /v1/sync` of a `ModelServer`.

    A worker's token is the account's id, a device's token is the device's id. `server` may be
    replaced while phones hold on to this transport, as a restore replaces a database.
    `check_reply` sees the server, the device and each reply at the moment it is given,
    `check_file` each snapshot.
    """

    def __init__(
        self,
        server: ModelServer,
        *,
        check_reply: Callable[[ModelServer, str, bytes], None] = lambda *_: None,
    ) -> None:
        self.server = server
        self.check_reply = check_reply
        self.check_file: Callable[[ModelServer, str, str, File], None] = lambda *_: None
        self._numbers = itertools.count(1)
        self.seen: list[tuple[str, bytes, bytes]] = []

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        token = request.headers["authorization"].removeprefix("Bearer ")
        content = request.read()
        if request.headers.get("content-encoding") == "gzip":
            content = gzip.decompress(content)
        if request.url.path == "/v1/devices":
            return self._enrol(token)
        if request.url.path != "/v1/sync":
            return self._repair(token, request, content)
        return self._sync(token, content)

    def _repair(self, device: str, request: httpx.Request, content: bytes) -> httpx.Response:
        """Answer what a phone asks to compare a bucket, and 404 for everything else."""
        server, path = self.server, request.url.path.removeprefix("/v1/sync/")
        allowed = server.allowed(server.devices[device].account)
        if path == "records":
            return httpx.Response(
                200, json=server.items(allowed, json.loads(content)["records"])
            )
        what, _, bucket = path.partition("/")
        if what == "snapshots":
            return self._file(device, request, *bucket.split("/"))
        bucket, _, parts = bucket.partition("/")
        if what != "manifests" or bucket not in allowed:
            return _problem(404, "not-found")
        wanted = None if parts else request.url.params.get_list("part")
        return httpx.Response(200, json=server.manifest(bucket, wanted))

    def _file(
        self, device: str, request: httpx.Request, bucket: str, epoch: str, seq: str
    ) -> httpx.Response:
        """Answer a snapshot or a piece of one; lead on if it is not kept any more."""
        server = self.server
        if bucket not in server.allowed(server.devices[device].account):
            return _problem(404, "not-found")
        file = server.file(bucket, (int(epoch), int(seq)))
        if (file.epoch, file.seq) != (int(epoch), int(seq)):
            there = f"/v1/sync/snapshots/{bucket}/{file.epoch}/{file.seq}"
            return httpx.Response(307, headers={"location": there})
        self.check_file(server, device, bucket, file)
        return file.answer(request.headers)

    def _enrol(self, account: str) -> httpx.Response:
        device = f"{account[:-12]}{next(self._numbers):012x}"
        self.server.enrol(account, device)
        return httpx.Response(201, json={"id": device, "token": device})

    def _sync(self, device: str, content: bytes) -> httpx.Response:
        if device not in self.server.devices:
            return _problem(401, "unauthenticated")
        try:
            request = decode_request(json.loads(content), schemas=self.server.schemas)
            reply = self.server.sync(device, request)
        except StaleLease:
            return _problem(403, "stale-lease")
        except UnsupportedProtocol:
            return _problem(426, "upgrade-required")
        except ProtocolError:
            return _problem(400, "malformed-body")
        self.check_reply(self.server, device, reply)
        self.seen.append((device, content, reply))
        return httpx.Response(
            200,
            stream=httpx.ByteStream(gzip.compress(reply, mtime=0)),
            headers={"content-encoding": "gzip", "content-type": "application/json"},
        )


def _problem(status: int, slug: str) -> httpx.Response:
    return httpx.Response(
        status,
        json={"type": f"https://jingwei.example/problems/{slug}", "status": status},
        headers={"content-type": "application/problem+json"},
    )
