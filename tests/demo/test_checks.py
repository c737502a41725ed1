"""A check that cannot fail proves nothing: each promise, broken on purpose, is found out."""

from dataclasses import replace
from hashlib import sha256

import pytest

from demo.checks import Corrected, PhoneSays, corrected_times, examine
from demo.queries import Mutated, Stored
from sync.canonical import canonical
from sync.codec import encode_record
from sync.ids import derived_id
from sync.record import Cell, Head, Record

HOME, DEVICE, BUCKET = "01000000-0000-7000-8000-000000000001", "d1", "grid:g"


def mutation(n: int, value: str, *, base: int, rev: int, device: str = DEVICE) -> Mutated:
    """An edit of the household's door."""
    body = canonical({"n": n, "record": HOME, "base": base, "set": {"door": value}})
    return Mutated(
        pos=n,
        device=device,
        n=n,
        record=HOME,
        kind="household",
        outcome="applied",
        rev=rev,
        base=base,
        at_ms=1_000 * n,
        quality="exact",
        body=body,
        console=False,
    )


def household(value: str, *, rev: int, n: int) -> Stored:
    """The household as stored, with one head."""
    head = Head(value=value, rev=rev, device=DEVICE, n=n, at_ms=1)
    record = Record(
        id=HOME, kind="household", bucket=BUCKET, rev=rev, fields={"door": Cell(heads=(head,))}
    )
    body = canonical(
        {"kind": "household", "record": HOME, "rev": rev, "state": {"door": value}}
    )
    return Stored(
        kind="household", rev=rev, bucket=BUCKET, body=body, truth=encode_record(record)
    )


MUTATIONS = [mutation(1, "01", base=0, rev=1), mutation(2, "02", base=1, rev=2)]
RECORDS = {HOME: household("02", rev=2, n=2)}
PHONE = PhoneSays(
    login="worker-01",
    device=DEVICE,
    digests={BUCKET: sha256(RECORDS[HOME].body).hexdigest()[:16]},
    settled={1: "applied", 2: "applied"},
    pending=0,
    up_to_date=True,
    done_ms={1: 1_000, 2: 1_700},
)


def test_a_kept_promise_is_found_kept() -> None:
    assert examine([PHONE], MUTATIONS, RECORDS).kept


@pytest.mark.parametrize(
    "phone",
    [
        replace(PHONE, digests={BUCKET: "0" * 16}),
        replace(PHONE, digests={"grid:other": "1" * 16}),
        replace(PHONE, up_to_date=False),
        replace(PHONE, pending=1),
    ],
)
def test_a_replica_that_differs_is_found(phone: PhoneSays) -> None:
    assert examine([phone], MUTATIONS, RECORDS).diverged == ("worker-01",)


def test_an_acknowledged_mutation_that_is_not_stored_is_found() -> None:
    phone = replace(PHONE, settled={2: "applied"})
    assert examine([phone], MUTATIONS[:1], RECORDS).lost == ("worker-01 2: not stored",)


def test_an_outcome_that_changed_its_mind_is_found() -> None:
    phone = replace(PHONE, settled={2: "applied"})
    held = replace(MUTATIONS[1], outcome="held")
    (found,) = examine([phone], [MUTATIONS[0], held], RECORDS).lost
    assert found == "worker-01 2: acknowledged as applied, stored as held"


def test_a_value_nobody_replaced_knowingly_may_not_be_gone() -> None:
    """The second author had not seen the first value, and it is kept nowhere."""
    unseen = mutation(1, "02", base=0, rev=2, device="d2")
    found = examine([replace(PHONE, settled={1: "applied"})], [MUTATIONS[0], unseen], RECORDS)
    assert found.lost == ("worker-01 1: the value of door is gone",)


def test_corrected_times_are_compared_with_the_true_ones() -> None:
    found = corrected_times([PHONE], MUTATIONS)
    assert found == {"exact": Corrected(count=2, error_ms=300)}


def test_a_lost_record_is_found() -> None:
    assert len(examine([PHONE], MUTATIONS, {}).lost) == 2


def test_a_value_may_be_replaced_by_who_saw_it_and_restated_without_effect() -> None:
    restated = mutation(3, "02", base=2, rev=2)
    phone = replace(PHONE, settled={**PHONE.settled, 3: "unchanged"})
    again = replace(restated, outcome="unchanged")
    assert examine([phone], [*MUTATIONS, again], RECORDS).kept


def test_a_claim_without_its_record_is_found() -> None:
    body = canonical({"n": 3, "record": HOME, "base": 2, "act": "finish", "args": {}})
    act = replace(MUTATIONS[1], n=3, kind="task", body=body, outcome="recorded")
    phone = replace(PHONE, settled={3: "recorded"})
    assert "its claim" in examine([phone], [*MUTATIONS, act], RECORDS).lost[0]
    claim = {derived_id(DEVICE, 3, "claim"): replace(RECORDS[HOME], kind="claim", bucket="x")}
    assert not examine([phone], [*MUTATIONS, act], {**RECORDS, **claim}).lost


def test_an_effect_that_happened_twice_is_found() -> None:
    twice = {HOME: household("02", rev=3, n=2)}
    assert examine([], MUTATIONS, twice).twice == ("a household changed once too often",)
    assert examine([], [*MUTATIONS, MUTATIONS[1]], RECORDS).twice


def visit(pos: int, at_ms: int, *, outcome: str = "done") -> tuple[Mutated, Stored]:
    """A visit of the household, as a mutation and as a record."""
    key = f"{pos:08}-0000-7000-8000-000000000001"
    said = {"household": HOME, "outcome": outcome, "visited_at_ms": at_ms}
    fields = {
        name: Cell(heads=(Head(value=value, rev=1, device=DEVICE, n=pos, at_ms=1),))
        for name, value in said.items()
    }
    record = Record(id=key, kind="visit", bucket=BUCKET, rev=1, fields=fields)
    made = replace(MUTATIONS[0], n=pos, pos=pos, record=key, kind="visit", rev=1)
    stored = replace(RECORDS[HOME], kind="visit", rev=1, truth=encode_record(record))
    return made, stored


def test_a_household_changes_once_more_by_each_visit_that_is_the_latest_so_far() -> None:
    made = [visit(7, 50), visit(8, 90), visit(9, 70), visit(10, 99, outcome="nobody_home")]
    told = [*MUTATIONS, *(mutated for mutated, _ in made)]
    visits = {mutated.record: stored for mutated, stored in made}
    for rev, twice in ((4, 0), (5, 1)):
        records = {**visits, HOME: household("02", rev=rev, n=2)}
        assert len(examine([], told, records).twice) == twice


def test_a_record_made_by_rule_twice_is_found() -> None:
    surplus = {kind: replace(RECORDS[HOME], kind=kind) for kind in ("claim", "incident")}
    assert len(examine([], MUTATIONS, {**RECORDS, **surplus}).twice) == 2
