"""`POST /v1/sync` on the wire: `sync.exchange` values to JSON and back (section 3).

Requests are read strictly: an unknown member is refused, because a server that ignored it would
lose what a newer phone meant. Replies are read tolerantly: a phone in the field must go on
working when a newer server says more. `decode(encode(x)) == x` holds for both.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sync.errors import ProtocolError, UnsupportedProtocol
from sync.exchange import (
    BUCKETS_MAX,
    MUTATIONS_MAX,
    PROTOCOL,
    REQUEST_BYTES_MAX,
    TAKES_MAX,
    BucketCursor,
    BucketPage,
    Gone,
    Item,
    Limits,
    Offer,
    RawPage,
    SchemaRange,
    SyncReply,
    SyncRequest,
    Why,
    WireOutcome,
)
from sync.fields import INT_LIMIT
from sync.members import Members
from sync.outcome import Outcome
from sync.rfc3339 import format_wall
from sync.versions import SCHEMAS, Schemas
from sync.wire_mutation import (
    MUTATION_BYTES_MAX,
    clock_object,
    decode_mutation,
    encode_mutation,
    mutation_object,
    read_clock,
    sealed,
)

__all__ = [
    "BUCKETS_MAX",
    "MUTATIONS_MAX",
    "MUTATION_BYTES_MAX",
    "PROTOCOL",
    "REQUEST_BYTES_MAX",
    "BucketCursor",
    "BucketPage",
    "Gone",
    "Item",
    "Limits",
    "RawPage",
    "SyncReply",
    "SyncRequest",
    "Why",
    "WireOutcome",
    "assemble_reply",
    "decode_mutation",
    "decode_reply",
    "decode_request",
    "encode_mutation",
    "encode_reply",
    "encode_request",
    "mutation_object",
    "read_item",
    "reply_head",
    "sealed",
]

BUCKET_ID_CHARS_MAX = 80
LEASE_CHARS_MAX = 200
VERSION_CHARS_MAX = 40
_DIGEST = re.compile(r"[0-9a-f]{16}")
_DIGEST_REASON = "must be 16 lower-case hexadecimal digits"
_REQUEST_NAMES = frozenset(
    (
        "protocol",
        "app",
        "lease",
        "clock",
        "last_n",
        "mutations",
        "buckets",
        "max_bytes",
        "takes",
    )
)


def encode_request(request: SyncRequest) -> bytes:
    """Return the JSON body of a request; mutations are their stored bytes, unchanged."""
    head = {
        "protocol": request.protocol,
        "app": {"version": request.app_version, "schema": request.app_schema},
        "lease": request.lease,
        "clock": clock_object(request.clock),
        "last_n": request.last_n,
        "buckets": [
            {"id": each.id, "epoch": each.epoch, "seq": each.seq, "digest": each.digest}
            for each in request.buckets
        ],
        "max_bytes": request.max_bytes,
        "takes": list(request.takes) or None,
    }
    bodies = b",".join(encode_mutation(each) for each in request.mutations)
    return _spliced(
        {name: value for name, value in head.items() if value is not None}, "mutations", bodies
    )


def decode_request(value: Any, *, schemas: Schemas = SCHEMAS) -> SyncRequest:
    """Return the request in a parsed JSON value.

    A mutation that cannot be read is kept as `Malformed`: it never fails the request.

    Raises:
        UnsupportedProtocol: if the request speaks another protocol version.
        ProtocolError: if the request cannot be read, or a mutation has no usable `n`.
    """
    members = Members(value)
    protocol = members.integer("protocol")
    if protocol != PROTOCOL:
        raise UnsupportedProtocol("/protocol", f"must be {PROTOCOL}")
    members.only(_REQUEST_NAMES)
    app = members.members("app").only({"version", "schema"})
    mutations = members.array("mutations", limit=MUTATIONS_MAX)
    return SyncRequest(
        app_version=app.text("version", max_chars=VERSION_CHARS_MAX),
        app_schema=app.integer("schema"),
        clock=read_clock(members.members("clock")),
        last_n=members.integer("last_n"),
        mutations=tuple(
            decode_mutation(each, f"/mutations/{at}", schemas=schemas)
            for at, each in enumerate(mutations)
        ),
        buckets=_cursors(members),
        lease=members.maybe_text("lease", max_chars=LEASE_CHARS_MAX),
        max_bytes=members.maybe_integer("max_bytes", low=1),
        takes=_takes(members),
    )


def _takes(members: Members) -> tuple[str, ...]:
    members.array("takes", limit=TAKES_MAX)
    return members.texts("takes", max_chars=40)


def _cursors(members: Members) -> tuple[BucketCursor, ...]:
    cursors = []
    for at, each in enumerate(members.array("buckets", limit=BUCKETS_MAX)):
        cursor = Members(each, f"/buckets/{at}").only({"id", "epoch", "seq", "digest"})
        cursors.append(
            BucketCursor(
                id=cursor.text("id", max_chars=BUCKET_ID_CHARS_MAX),
                epoch=cursor.integer("epoch"),
                seq=cursor.integer("seq"),
                digest=cursor.matching("digest", _DIGEST, _DIGEST_REASON),
            )
        )
    if len({cursor.id for cursor in cursors}) != len(cursors):
        raise ProtocolError("/buckets", "must not list a bucket twice")
    return tuple(cursors)


def reply_head(reply: SyncReply) -> dict[str, Any]:
    """Return every member of a reply except its pages, as `assemble_reply` takes it."""
    limits = reply.limits
    head: dict[str, Any] = {
        "server_time": format_wall(reply.server_time_ms),
        "incarnation": reply.incarnation,
        "lease": reply.lease,
        "settled_through": reply.settled_through,
        "outcomes": [_outcome_object(each) for each in reply.outcomes],
        "scope": {"enter": list(reply.enter), "leave": list(reply.leave)},
        "media_wanted": list(reply.media_wanted),
        "next_sync_s": reply.next_sync_s,
        "limits": {
            "mutations": limits.mutations,
            "bytes": limits.bytes,
            "buckets": limits.buckets,
        },
    }
    if reply.purge_after_s is not None:
        head["purge_after_s"] = reply.purge_after_s
    if reply.schema is not None:
        head["schema"] = {"least": reply.schema.least, "newest": reply.schema.newest}
    return head


def assemble_reply(head: Mapping[str, Any], pages: Sequence[RawPage]) -> bytes:
    """Return the JSON body of a reply from `reply_head` and pages of stored item bytes."""
    return _spliced(head, "buckets", b",".join(_page_bytes(page) for page in pages))


def encode_reply(reply: SyncReply) -> bytes:
    """Return the JSON body of a reply."""
    pages = [
        RawPage(
            id=page.id,
            epoch=page.epoch,
            from_seq=page.from_seq,
            seq=page.seq,
            digest=page.digest,
            count=page.count,
            items=[_compact(_item_object(item)) for item in page.put],
            gone=page.gone,
            reset=page.reset,
            more=page.more,
            snapshot=page.snapshot,
        )
        for page in reply.buckets
    ]
    return assemble_reply(reply_head(reply), pages)


def decode_reply(value: Any) -> SyncReply:
    """Return the reply in a parsed JSON value; members it does not know are passed over.

    Hashes are not verified here, see `sync.replica`.

    Raises:
        ProtocolError: if a member the phone relies on is missing or of another form.
    """
    members = Members(value)
    scope, limits = members.members("scope"), members.members("limits")
    return SyncReply(
        server_time_ms=members.wall_ms("server_time"),
        incarnation=members.text("incarnation", max_chars=LEASE_CHARS_MAX),
        lease=members.text("lease", max_chars=LEASE_CHARS_MAX),
        settled_through=members.integer("settled_through"),
        outcomes=tuple(
            _read_outcome(Members(each, f"/outcomes/{at}"))
            for at, each in enumerate(members.array("outcomes"))
        ),
        enter=scope.texts("enter", max_chars=BUCKET_ID_CHARS_MAX),
        leave=scope.texts("leave", max_chars=BUCKET_ID_CHARS_MAX),
        buckets=tuple(
            _read_page(Members(each, f"/buckets/{at}"))
            for at, each in enumerate(members.array("buckets"))
        ),
        media_wanted=members.texts("media_wanted", max_chars=BUCKET_ID_CHARS_MAX),
        next_sync_s=members.integer("next_sync_s"),
        limits=Limits(
            mutations=limits.integer("mutations", low=1),
            bytes=limits.integer("bytes", low=1),
            buckets=limits.integer("buckets", low=1),
        ),
        purge_after_s=members.maybe_integer("purge_after_s"),
        schema=_read_range(members.members("schema")) if members.has("schema") else None,
    )


def _read_range(members: Members) -> SchemaRange:
    return SchemaRange(
        least=members.integer("least", low=1), newest=members.integer("newest", low=1)
    )


def _compact(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _spliced(head: Mapping[str, Any], name: str, items: bytes) -> bytes:
    return b'%s,"%s":[%s]}' % (_compact(head)[:-1], name.encode(), items)


def _outcome_object(outcome: WireOutcome) -> dict[str, Any]:
    written = {
        "n": outcome.n,
        "outcome": outcome.outcome,
        "record": outcome.record,
        "rev": outcome.rev,
        "code": outcome.code,
        "detail": outcome.detail,
        "replayed": outcome.replayed or None,
        "became": outcome.became,
    }
    return {name: value for name, value in written.items() if value is not None}


def _item_object(item: Item) -> dict[str, Any]:
    return {
        "record": item.record,
        "kind": item.kind,
        "rev": item.rev,
        "hash": item.hash,
        "state": dict(item.state),
    }


def _gone_object(gone: Gone) -> dict[str, Any]:
    written = {
        "record": gone.record,
        "why": gone.why,
        "to": gone.to,
        "merged_into": gone.merged_into,
    }
    return {name: value for name, value in written.items() if value is not None}


def _page_bytes(page: RawPage) -> bytes:
    head: dict[str, Any] = {
        "id": page.id,
        "epoch": page.epoch,
        "from": page.from_seq,
        "seq": page.seq,
        "digest": page.digest,
        "count": page.count,
        "gone": [_gone_object(each) for each in page.gone],
        "reset": page.reset,
        "more": page.more,
    }
    if page.snapshot is not None:
        head["snapshot"] = {"epoch": page.snapshot.epoch, "seq": page.snapshot.seq}
    return _spliced(head, "put", b",".join(page.items))


def _read_outcome(members: Members) -> WireOutcome:
    word = members.text("outcome", max_chars=40)
    if word not in {str(each) for each in Outcome}:
        raise ProtocolError(members.at("outcome"), "is not an outcome this version knows")
    return WireOutcome(
        n=members.integer("n", low=1),
        outcome=Outcome(word),
        record=members.maybe_text("record", max_chars=40),
        rev=members.maybe_integer("rev"),
        code=members.maybe_text("code", max_chars=60),
        detail=members.maybe_text("detail", max_chars=500),
        replayed=members.flag("replayed"),
        became=members.maybe_text("became", max_chars=40),
    )


def _read_page(members: Members) -> BucketPage:
    items = [Members(each, members.at("put")) for each in members.array("put")]
    gone = [Members(each, members.at("gone")) for each in members.array("gone")]
    return BucketPage(
        id=members.text("id", max_chars=BUCKET_ID_CHARS_MAX),
        epoch=members.integer("epoch"),
        from_seq=members.integer("from"),
        seq=members.integer("seq"),
        digest=members.matching("digest", _DIGEST, _DIGEST_REASON),
        count=members.integer("count"),
        put=tuple(read_item(each) for each in items),
        gone=tuple(_read_gone(each) for each in gone),
        reset=members.flag("reset"),
        more=members.flag("more"),
        snapshot=_read_offer(members.members("snapshot")) if members.has("snapshot") else None,
    )


def _read_offer(members: Members) -> Offer:
    return Offer(epoch=members.integer("epoch"), seq=members.integer("seq", low=1))


def read_item(members: Members) -> Item:
    """Return the record in `members`; its hash is not verified here."""
    return Item(
        record=members.text("record", max_chars=40),
        kind=members.text("kind", max_chars=40),
        rev=members.integer("rev", low=1, high=INT_LIMIT),
        hash=members.text("hash", max_chars=64),
        state=members.object("state"),
    )


def _read_gone(members: Members) -> Gone:
    return Gone(
        record=members.text("record", max_chars=40),
        why=members.text("why", max_chars=40),
        to=members.maybe_text("to", max_chars=BUCKET_ID_CHARS_MAX),
        merged_into=members.maybe_text("merged_into", max_chars=40),
    )
