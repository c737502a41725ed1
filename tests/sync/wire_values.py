"""Strategies for everything the sync exchange can carry."""

from dataclasses import fields

from hypothesis import strategies as st

from sync.canonical import record_body, record_hash
from sync.exchange import (
    BucketCursor,
    BucketPage,
    Gone,
    Item,
    Limits,
    Offer,
    SchemaRange,
    SyncReply,
    SyncRequest,
    Take,
    Why,
    WireOutcome,
)
from sync.mutation import ClockReading, Datum, Mutation, Position
from sync.outcome import Code, Outcome
from sync.rfc3339 import WALL_MAX_MS, WALL_MIN_MS
from sync.wire import sealed

integers = st.integers(-(2**53), 2**53)
counts = st.integers(0, 2**53)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
words = st.text("abcdefghijklmnopqrstuvwxyz0123456789-:.", min_size=1, max_size=40)
names = st.from_regex(r"[a-z][a-z0-9_]{0,39}", fullmatch=True)
ids = st.uuids().map(str)
walls = st.integers(WALL_MIN_MS, WALL_MAX_MS)
digests = st.from_regex(r"[0-9a-f]{16}", fullmatch=True)
json_values = st.recursive(
    st.none() | st.booleans() | integers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
clocks = st.builds(ClockReading, wall_ms=walls, uptime_ms=counts, boot=words)
positions = st.builds(
    Position,
    lon_e7=st.integers(-1_800_000_000, 1_800_000_000),
    lat_e7=st.integers(-900_000_000, 900_000_000),
    datum=st.sampled_from(Datum),
    accuracy_cm=st.integers(0, 100_000_000),
    fixed_at_ms=st.none() | walls,
)
_named_values = st.dictionaries(texts, json_values, max_size=3)
_elements = st.dictionaries(texts, st.lists(texts, max_size=3).map(tuple), max_size=2)


@st.composite
def mutations(draw, n=None):
    changes = {}
    if draw(st.booleans()):
        changes = {"act": draw(names), "args": draw(_named_values)}
    else:
        changes = {
            "set": draw(_named_values),
            "add": draw(_elements),
            "remove": draw(_elements),
        }
    return sealed(
        Mutation(
            n=draw(st.integers(1, 2**53)) if n is None else n,
            record=draw(ids),
            kind=draw(names),
            base=draw(counts),
            body=b"",
            clock=draw(clocks),
            position=draw(st.none() | positions),
            actor=draw(st.none() | ids),
            group=draw(st.none() | words),
            **changes,
        )
    )


cursors = st.builds(BucketCursor, id=words, epoch=counts, seq=counts, digest=digests)
requests = st.builds(
    SyncRequest,
    app_version=words,
    app_schema=counts,
    clock=clocks,
    last_n=counts,
    mutations=st.lists(mutations(), max_size=3).map(tuple),
    buckets=st.lists(cursors, max_size=3, unique_by=lambda cursor: cursor.id).map(tuple),
    lease=st.none() | words,
    max_bytes=st.none() | st.integers(1, 2**53),
    takes=st.lists(st.sampled_from(Take).map(str) | words, max_size=3).map(tuple),
)


@st.composite
def items(draw):
    record, kind, rev = draw(ids), draw(names), draw(st.integers(1, 2**53))
    state = draw(st.dictionaries(names, json_values, max_size=4))
    digest = record_hash(record_body(record, kind, rev, state))
    return Item(record=record, kind=kind, rev=rev, hash=digest, state=state)


pages = st.builds(
    BucketPage,
    id=words,
    epoch=counts,
    from_seq=counts,
    seq=counts,
    digest=digests,
    count=counts,
    put=st.lists(items(), max_size=3).map(tuple),
    gone=st.lists(
        st.builds(Gone, record=ids, why=st.sampled_from(Why), to=st.none() | words), max_size=2
    ).map(tuple),
    reset=st.booleans(),
    more=st.booleans(),
    snapshot=st.none() | st.builds(Offer, epoch=counts, seq=st.integers(1, 2**53)),
)
outcomes = st.builds(
    WireOutcome,
    n=st.integers(1, 2**53),
    outcome=st.sampled_from(Outcome),
    record=st.none() | ids,
    rev=st.none() | counts,
    code=st.none() | st.sampled_from(Code),
    detail=st.none() | names,
    replayed=st.booleans(),
    became=st.none() | st.sampled_from(["applied", "merged", "refused"]),
)
_word_lists = st.lists(words, max_size=3).map(tuple)
replies = st.builds(
    SyncReply,
    server_time_ms=walls,
    incarnation=words,
    lease=words,
    settled_through=counts,
    outcomes=st.lists(outcomes, max_size=3).map(tuple),
    enter=_word_lists,
    leave=_word_lists,
    buckets=st.lists(pages, max_size=2).map(tuple),
    media_wanted=_word_lists,
    next_sync_s=counts,
    purge_after_s=st.none() | counts,
    schema=st.none()
    | st.builds(SchemaRange, least=st.integers(1, 9), newest=st.integers(1, 9)),
    limits=st.builds(Limits, **{field.name: st.integers(1, 2**53) for field in fields(Limits)}),
)
