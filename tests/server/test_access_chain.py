"""The chain of the access log: whatever is changed, left out, added or cut off is found."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from server.accesslog.chain import Mark, Noted, Sealed, Walk, sealed

BEGIN = Mark(0, "")
IDS = st.uuids().map(str)
NOTED = st.builds(
    Noted,
    id=IDS,
    at_ms=st.integers(0, 10**12),
    account=IDS,
    act=st.sampled_from(["list", "read", "history"]),
    kind=st.sampled_from(["household", "resident"]),
    records=st.lists(IDS, max_size=3).map(tuple),
    purpose=st.sampled_from([None, "visits"]),
    fields=st.sampled_from([(), ("name",), ("name", "phone")]),
    reason=st.sampled_from([None, "They asked to be called."]),
    grant=st.one_of(st.none(), IDS),
)
CHAINS = st.lists(NOTED, min_size=1, max_size=8, unique_by=lambda each: each.id)


def walked(chain: list[Sealed], head: Mark, anchors: dict[int, str], base: Mark = BEGIN):
    walk = Walk(base, anchors)
    for each in chain:
        walk.step(each)
    return walk.faults(head)


def end(chain: list[Sealed]) -> Mark:
    return Mark(chain[-1].seq, chain[-1].hash) if chain else BEGIN


@given(CHAINS, st.data())
def test_a_chain_sealed_in_any_portions_fits(entries, data) -> None:
    cut = data.draw(st.integers(0, len(entries)))
    first = sealed(BEGIN, entries[:cut])
    whole = first + sealed(end(first), entries[cut:])
    assert whole == sealed(BEGIN, entries)
    anchors = {each.seq: each.hash for each in (first[-1:] + whole[-1:])}
    assert walked(whole, end(whole), anchors) == []
    if first:
        assert walked(whole[cut:], end(whole), anchors, base=end(first)) == []


@given(CHAINS, st.data())
def test_a_changed_entry_is_found(entries, data) -> None:
    chain = sealed(BEGIN, entries)
    at = data.draw(st.integers(0, len(chain) - 1))
    other = data.draw(NOTED)
    assume(other != chain[at].noted)
    part = data.draw(st.sampled_from([*Noted.__dataclass_fields__]))
    changed = replace(chain[at].noted, **{part: getattr(other, part)})
    assume(changed != chain[at].noted)
    forged = [*chain[:at], replace(chain[at], noted=changed), *chain[at + 1 :]]
    assert walked(forged, end(chain), {}) == [f"entry {at + 1} is not what was sealed"]


@given(CHAINS, st.data())
def test_a_deleted_entry_is_found(entries, data) -> None:
    chain = sealed(BEGIN, entries)
    at = data.draw(st.integers(0, len(chain) - 1))
    assert walked([*chain[:at], *chain[at + 1 :]], end(chain), {})


@given(CHAINS, NOTED, st.data())
def test_an_inserted_entry_is_found(entries, extra, data) -> None:
    chain = sealed(BEGIN, entries)
    at = data.draw(st.integers(0, len(chain)))
    forged = Sealed(noted=extra, seq=at + 1, hash="0" * 64)
    assert walked([*chain[:at], forged, *chain[at:]], end(chain), {})


@given(CHAINS, st.data())
def test_a_whole_new_chain_is_found_by_its_anchor(entries, data) -> None:
    """Somebody who can write everything in the database computes all hashes anew."""
    chain = sealed(BEGIN, entries)
    anchors = {chain[-1].seq: chain[-1].hash}
    at = data.draw(st.integers(0, len(entries) - 1))
    forged = sealed(BEGIN, [*entries[:at], *entries[at + 1 :]])
    assert walked(forged, end(forged), {}) == []
    assert walked(forged, end(forged), anchors)
    other = [
        *entries[:at],
        replace(entries[at], at_ms=entries[at].at_ms + 1),
        *entries[at + 1 :],
    ]
    forged = sealed(BEGIN, other)
    assert walked(forged, end(forged), anchors) == [
        f"entry {len(chain)} is not the one that was anchored"
    ]


def test_a_base_that_was_not_anchored_so_is_found() -> None:
    assert walked([], Mark(3, "a"), {3: "b"}, base=Mark(3, "a")) == [
        "entry 3 is not the one that was anchored"
    ]


def test_an_empty_log_fits() -> None:
    assert walked([], BEGIN, {}) == []


@pytest.mark.parametrize("head", [Mark(2, "x"), Mark(1, "x")])
def test_a_head_that_is_elsewhere_is_found(head: Mark) -> None:
    noted = Noted(
        id="a", at_ms=1, account="b", act="read", kind="visit", records=(), purpose=None
    )
    assert walked(sealed(BEGIN, [noted]), head, {})


def test_what_was_sealed_before_there_were_fields_and_reasons_still_fits() -> None:
    """Computed by the version that knew neither."""
    noted = Noted(
        id="01900000-0000-7000-8000-000000000001",
        at_ms=1,
        account="01900000-0000-7000-8000-000000000002",
        act="read",
        kind="household",
        records=("01900000-0000-7000-8000-000000000003",),
        purpose=None,
    )
    (done,) = sealed(BEGIN, [noted])
    assert done.hash == "505938d44190f5a061cce88fab68b193f549557588d14ae7d5ddd6bb5f12c39f"
