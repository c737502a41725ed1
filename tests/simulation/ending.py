"""The end of a run: everybody gets a good network, and then everything must agree."""

import itertools
import json
from collections.abc import Sequence

from sync.carrying import CARRIED
from sync.dependants import leaders_of
from sync.groups import parts
from sync.ids import derived_id
from sync.mutation import Mutation
from sync.outcome import Outcome
from sync.replica import digest_of_bodies
from sync.state import merged_into
from sync.wire import decode_mutation
from tests.simulation.checks import UNDECIDED
from tests.simulation.device import Replica
from tests.simulation.model import ModelServer
from tests.simulation.watch import promise
from tests.simulation.world import World
from tests.sync.backend import view

ROUNDS_MAX = 4
ORDERS_MAX = 3


def check_the_end(world: World) -> None:
    """Check what must hold at the end of every run."""
    for replica in world.replicas:
        replica.link.coming.clear()
        replica.link.clogged = False
    world.advance(3_600_000)
    _check_upload_order(world)
    for _ in range(2):
        for replica in world.replicas:
            _heal(world, replica)
    for replica in world.replicas:
        world.check_same(replica.number)
        _check_shown(world, replica)
        _check_acknowledged(world, replica)
        _check_facts(world, replica)
    _check_merged(world)
    world.watch.check_fold(world.server)


def _heal(world: World, replica: Replica) -> None:
    """With a good network nothing is left to do after a few rounds."""
    phone = replica.phone
    report = None
    for _ in range(ROUNDS_MAX):
        report = world.sync(replica.number)
        if report is None:
            continue
        refused = report.failure is not None and report.failure.status == 401
        if report.identity_doubtful or refused:
            phone.enrol("", replica.worker)
        elif report.up_to_date and not phone.pending():
            return
    failure = None if report is None else report.failure
    promise(False, "nobody gets stuck", f"{failure}, {len(phone.pending())} wait")  # noqa: FBT003


def _check_shown(world: World, replica: Replica) -> None:
    """Nothing is laid over the replica any more, and the digests are those of the bytes."""
    phone = replica.phone
    for name, digest in phone.digests().items():
        rows = world.server.buckets[name].rows if name in world.server.buckets else {}
        same = digest == digest_of_bodies(row.body for row in rows.values())
        promise(same, "copies converge", "a digest")
    for record, body in phone.bodies().items():
        shown = phone.shown(record)
        state = None if shown is None else shown.state
        promise(state == json.loads(body)["state"], "copies converge", "work is shown twice")


def _check_acknowledged(world: World, replica: Replica) -> None:
    """Every outcome the phone was told stands in the server's books, with its effect."""
    device = replica.phone.device or ""
    settled = world.server.devices[device].settled
    for told in replica.phone.outcomes():
        kept = settled.get(told.n)
        same = kept is not None and (kept.outcome, kept.code) == (told.outcome, told.code)
        promise(same, "nothing acknowledged is lost", str(told.outcome))
        if kept is None or kept.outcome in UNDECIDED:
            continue
        there = kept.record in world.server.records
        promise(there, "nothing acknowledged is lost", str(kept.kind))
        if json.loads(kept.body).get("act") is not None:
            claim = derived_id(device, told.n, "claim")
            promise(claim in world.server.records, "nobody's work disappears", "a claim")


def _check_facts(world: World, replica: Replica) -> None:
    """Every fact the worker wrote down is on the server, or waits there for a person."""
    waiting = {
        each.record
        for device in world.server.devices.values()
        for each in device.settled.values()
        if each.outcome in UNDECIDED
    }
    lost = replica.facts - world.server.records.keys() - waiting
    promise(not lost, "nothing acknowledged is lost", f"{len(lost)} facts")


def _check_merged(world: World) -> None:
    """What is said of a merged record stands beside the survivor's, or was replaced knowingly.

    Nothing belongs to a merged record, and whatever it was merged into stands for itself.
    """
    records, replaced = world.server.records, world.watch.books.replaced
    into = {key: merged_into(each) for key, each in records.items()}
    for record in records.values():
        for leader in leaders_of(record):
            promise(into.get(leader) is None, "an alias is followed", f"by a {record.kind}")
        survivor = into[record.id]
        if survivor is None:
            continue
        family = [survivor, *(key for key, each in into.items() if each == survivor)]
        for name in CARRIED[record.kind] & record.fields.keys():
            stand = records[survivor].fields[name]
            known = {(each.device, each.n) for each in (*stand.heads, *stand.kept)}
            known = known.union(*(replaced.get((key, name), ()) for key in family))
            mine = {(each.device, each.n) for each in record.fields[name].heads}
            promise(mine <= known, "an alias is followed", name)


def _check_upload_order(world: World) -> None:
    """What still waits on the phones may arrive in any order that keeps each phone's own.

    Not after a restore: there a base may name a revision that does not exist any more, or yet.
    """
    if world.restores:
        return
    queues = [queue for each in world.replicas if (queue := _queue(world, each))]
    if len(queues) < 2:
        return
    orders = itertools.islice(itertools.permutations(queues), ORDERS_MAX)
    views = [_view_after(world.server.backup(), each) for each in orders]
    views.append(_view_after(world.server.backup(), _dealt(queues)))
    same = all(each == views[0] for each in views)
    promise(same, "upload order does not matter")


Queue = tuple[str, tuple[Mutation, ...]]


def _queue(world: World, replica: Replica) -> Queue | None:
    """What a phone would send under its identity, as the server reads it."""
    phone = replica.phone
    device = phone.device or ""
    state = world.server.devices[device].state
    rows = phone._store.waiting()
    mutations = [decode_mutation(json.loads(row.body)) for row in rows]
    readable = tuple(each for each in mutations if isinstance(each, Mutation))
    between = phone._store.setting("former") is not None
    if between or state.flagged or len(readable) < len(rows) or not readable:
        return None
    return device, readable


def _dealt(queues: Sequence[Queue]) -> list[Queue]:
    """The queues one mutation or one form at a time, in turn."""
    turns = itertools.zip_longest(*(parts(queue, 1) for _, queue in queues))
    devices = [device for device, _ in queues]
    return [
        (device, tuple(one for one in each if isinstance(one, Mutation)))
        for turn in turns
        for device, each in zip(devices, turn, strict=True)
        if each is not None
    ]


def _view_after(server: ModelServer, queues: Sequence[Queue]) -> object:
    for device, mutations in queues:
        answers = server._push(device, mutations, None).answers
        promise(
            all(each.outcome is not Outcome.RETRY for each in answers), "nobody gets stuck", ""
        )
    return view(server.records)
