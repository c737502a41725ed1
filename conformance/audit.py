"""What must be true of every request a client makes, whatever the scenario is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.stage import Broken
from conformance.wire import Exchange
from sync.canonical import canonical
from sync.errors import ProtocolError
from sync.mutation import Mutation
from sync.wire import SyncRequest, decode_request

MUTATIONS_MAX = 200


@dataclass(slots=True)
class _Device:
    """What was seen of one device token so far."""

    bodies: dict[int, bytes] = field(default_factory=dict)
    last_n: int = 0
    leases: list[str | None] = field(default_factory=lambda: [None])
    limit: int = MUTATIONS_MAX


def audit(exchanges: Sequence[Exchange]) -> None:
    """Check every recorded sync call in order.

    Raises:
        Broken: at the first one that no client may make.
    """
    devices: dict[str, _Device] = {}
    busy: dict[str, int] = {}
    for each in exchanges:
        token = each.headers.get("authorization", "")
        if not token.startswith("Bearer "):
            raise Broken("sends a sync call without a bearer token")
        if each.begun < busy.get(token, 0):
            raise Broken("has two sync calls in flight at once")
        busy[token] = each.ended or each.begun
        request = _decoded(each)
        device = devices.setdefault(token, _Device())
        _check(device, request)
        _remember(device, each)


def _decoded(exchange: Exchange) -> SyncRequest:
    try:
        return decode_request(exchange.value)
    except ProtocolError as error:
        raise Broken(f"sends a request that is none of the protocol: {error}") from None


def _check(device: _Device, request: SyncRequest) -> None:
    numbers = [each.n for each in request.mutations]
    if numbers != list(range(min(numbers, default=0), max(numbers, default=-1) + 1)):
        raise Broken("sends mutations out of order or with a gap")
    if len(numbers) > device.limit:
        raise Broken(f"sends {len(numbers)} mutations although the limit is {device.limit}")
    if request.last_n < max([device.last_n, *numbers]):
        raise Broken("tells a last_n below an n it has given out")
    if request.lease not in device.leases[-2:]:
        raise Broken("shows a lease that is not the one of its last whole reply")
    if len({each.id for each in request.buckets}) != len(request.buckets):
        raise Broken("lists a bucket twice")
    device.last_n = request.last_n
    _check_bodies(device, request)


def _check_bodies(device: _Device, request: SyncRequest) -> None:
    for each in request.mutations:
        if not isinstance(each, Mutation):
            raise Broken(f"sends a mutation that cannot be read: {each.field}")
        body = canonical(_without_defaults(each))
        if device.bodies.setdefault(each.n, body) != body:
            raise Broken(f"sends n {each.n} again with another body")


def _without_defaults(mutation: Mutation) -> Any:
    return [
        mutation.record,
        mutation.kind,
        mutation.base,
        None
        if mutation.clock is None
        else [mutation.clock.wall_ms, mutation.clock.uptime_ms, mutation.clock.boot],
        dict(mutation.set),
        {name: list(each) for name, each in mutation.add.items()},
        {name: list(each) for name, each in mutation.remove.items()},
        mutation.act,
        _plain(mutation.args),
        mutation.actor,
    ]


def _plain(args: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: list(each) if isinstance(each, tuple) else each for name, each in args.items()
    }


def _remember(device: _Device, exchange: Exchange) -> None:
    heard = exchange.heard
    value = None if heard is None or heard.status != 200 else heard.value
    if not isinstance(value, dict):
        return
    if isinstance(value.get("lease"), str):
        device.leases.append(value["lease"])
    limits = value.get("limits")
    if isinstance(limits, dict) and type(limits.get("mutations")) is int:
        device.limit = limits["mutations"]
