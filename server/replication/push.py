"""The phones' door to the write path: one contact, its lease, and its batches.

A request is stored in parts of at most `BATCH_MUTATIONS_MAX` mutations, and a group of
mutations lies in one of them. Each part commits before the next one begins, so a request that
dies half way keeps what was settled and the phone sends the rest again. Parts of several phones
that wait at this process at once are stored in one transaction (docs/decisions, 0048).
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from server.clock import new_lease
from server.db import failpoints
from server.db.store import Store
from server.problem_answers import log_fault
from server.problems import Problem, StaleLease, Unauthenticated
from server.replication import queries
from server.replication.faults import is_about_content
from server.replication.gather import Batch
from server.replication.queries import DbRow
from server.replication.said import said_after
from server.replication.settle import settle_all
from sync import groups
from sync.clock import offset_of
from sync.mutation import Malformed, Mutation
from sync.outcome import Code
from sync.push import Author, Plan, Settled
from sync.wire import SyncRequest

BATCH_MUTATIONS_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """Who is calling: the enrolled device and the worker signed in on it."""

    device: str
    account: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """What a contact left behind, as committed; `postponed` are the n that were not taken."""

    lease: str
    settled_through: int
    answers: tuple[Settled, ...]
    revoked: bool
    postponed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One transaction's share of a request.

    `faulty` are the n that could not be stored as decided. `stopped` says that an earlier part
    met a gap, so that nothing new is taken from this one.
    """

    mutations: Sequence[Mutation | Malformed]
    first: bool
    last: bool
    faulty: frozenset[int] = frozenset()
    stopped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request with who sent it, when it arrived, and the lease it may be given."""

    phone: Phone
    request: SyncRequest
    received_ms: int
    fresh_lease: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Share:
    """What one phone has in a transaction: its call, and the part of it."""

    call: Call
    part: _Part


def _parts(
    mutations: Sequence[Mutation | Malformed],
    size: int,
    *,
    first: bool = True,
    last: bool = True,
) -> list[_Part]:
    cut = groups.parts(mutations, size)
    return [
        _Part(
            mutations=each,
            first=first and place == 0,
            last=last and place == len(cut) - 1,
        )
        for place, each in enumerate(cut)
    ]


async def push(
    store: Store,
    phone: Phone,
    request: SyncRequest,
    *,
    received_ms: int,
    one_batch: bool = False,
) -> Contact:
    """Store a request's mutations in order and return their outcomes and the next lease.

    With `one_batch` what does not fit into the first transaction is postponed: not looked at,
    not stored.

    Raises:
        StaleLease: if the lease is neither the current nor the previous one, which means that
            two phones share an identity. Nothing of the request is stored.
    """
    call = Call(phone=phone, request=request, received_ms=received_ms, fresh_lease=new_lease())
    taken = request.mutations
    if one_batch:
        taken = taken[: len(groups.parts(taken, BATCH_MUTATIONS_MAX)[0])]
    contact = await _in_turn(
        _parts(taken, BATCH_MUTATIONS_MAX), lambda part: _stored(store, call, part)
    )
    return replace(contact, postponed=tuple(e.n for e in request.mutations[len(taken) :]))


async def _in_turn(
    parts: Sequence[_Part], stored: Callable[[_Part], Awaitable[Contact]]
) -> Contact:
    """Store parts one after the other and return the last contact with all the answers."""
    first, *more = parts
    contact = await stored(first)
    answers = list(contact.answers)
    stopped = first.stopped or _met_gap(answers)
    for part in more:
        contact = await stored(replace(part, stopped=stopped))
        answers.extend(contact.answers)
        stopped = stopped or _met_gap(contact.answers)
    return replace(contact, answers=tuple(answers))


def _met_gap(answers: Iterable[Settled]) -> bool:
    return any(each.code in {Code.GAP, Code.AFTER_GAP} for each in answers)


async def _stored(store: Store, call: Call, part: _Part) -> Contact:
    """Store one part; what cannot be stored is held with its group, and the others stored."""
    try:
        return await store.write_together(
            _transact,
            _Share(call=call, part=part),
            apart=call.phone.device,
            weight=len(part.mutations),
        )
    except Exception as error:
        if not part.mutations or part.faulty or not is_about_content(error):
            raise
        log_fault(error, "a batch of mutations")
    alone = _parts(part.mutations, 1, first=part.first, last=part.last)
    if len(alone) == 1:
        faulty = frozenset(each.n for each in part.mutations)
        return await _stored(store, call, replace(part, faulty=faulty))
    alone[0] = replace(alone[0], stopped=part.stopped)
    return await _in_turn(alone, lambda each: _stored(store, call, each))


def _transact(db: Connection, shares: Sequence[_Share]) -> list[Contact | Exception]:
    """Parts of several phones: their mutations, and what the contacts change about the devices.

    A phone that is refused gets its problem in place of a contact, and the others go on.
    """
    failpoints.reach("begun")
    devices = queries.lock_devices(db, sorted({each.call.phone.device for each in shares}))
    failpoints.reach("device-locked")
    asked = [_batch_or_problem(each, devices.get(each.call.phone.device)) for each in shares]
    batches = [each for each in asked if isinstance(each, Batch)]
    plans = iter(settle_all(db, batches) if batches else ())
    return [_contact(each, next(plans)) if isinstance(each, Batch) else each for each in asked]


def _batch_or_problem(share: _Share, device: DbRow | None) -> Batch | Problem:
    try:
        return _batch(share, device)
    except Problem as problem:
        return problem


def _batch(share: _Share, device: DbRow | None) -> Batch:
    """What is to be decided, with what the contact changes about the locked device."""
    if device is None:
        raise Unauthenticated
    call, part, values = share.call, share.part, dict[str, Any]()
    if part.first:
        values |= rotate_lease(device, call.request.lease, call.fresh_lease)
    if part.last:
        values |= contact_values(device, call.request, call.received_ms)
    phone = call.phone
    return Batch(
        device=device,
        author=Author(
            device=phone.device,
            account=phone.account,
            role=phone.role,
            console=False,
            home_bucket=f"user:{phone.account}",
        ),
        mutations=part.mutations,
        send=call.request.clock,
        received_ms=call.received_ms,
        contact=values,
        faulty=part.faulty,
        stopped=part.stopped,
    )


def _contact(batch: Batch, plan: Plan) -> Contact:
    return Contact(
        lease=batch.contact.get("lease", batch.device.lease),
        settled_through=plan.settled_through,
        answers=tuple(plan.answers),
        revoked=batch.device.status == "revoked",
    )


def rotate_lease(device: DbRow, presented: str | None, fresh: str) -> dict[str, Any]:
    """The lease columns after a contact that presented `presented`.

    A reply may be lost any number of times, so while a phone still shows the previous lease the
    current one is handed out again instead of a newer one. After a restore any lease counts
    once (`queries.ANY_LEASE`): whichever phone shows one first goes on with the identity.

    Raises:
        StaleLease: for any lease but the current and the previous one.
    """
    if device.lease == queries.ANY_LEASE:
        return {"lease": fresh, "lease_previous": presented}
    if presented == device.lease:
        return {"lease": fresh, "lease_previous": device.lease}
    if presented == device.lease_previous:
        return {}
    raise StaleLease


def contact_values(device: DbRow, request: SyncRequest, received_ms: int) -> dict[str, Any]:
    """The columns of a device that every contact writes, beside its lease."""
    return {
        "last_contact_ms": received_ms,
        "last_n": max(device.last_n, request.last_n),
        "offset_ms": offset_of(request.clock, received_ms),
        "app_version": request.app_version,
        "said": said_after(device.said, request.buckets, received_ms),
    }
