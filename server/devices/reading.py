"""Put together what a supervisor reads about phones."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from server.devices.queries import (
    DeviceRow,
    Wanted,
    Whose,
    areas_elsewhere,
    phone_row,
    phone_rows,
)
from server.devices.queries import waiting_counts as waiting
from server.devices.schemas import BucketView, DeviceDetail, Failures
from server.identity.principal import DeviceStatus
from server.problems import NotFound
from server.replication.queries import BucketHead, bucket_heads, empty_head
from server.replication.said import DigestState, Said, decode_said, digest_state

_WORST_FIRST = (
    DigestState.DIFFERS,
    DigestState.UNKNOWN,
    DigestState.BEHIND,
    DigestState.EQUAL,
)


def phone_page(
    db: Connection, whose: Whose, wanted: Wanted, *, after: tuple[int, str] | None, limit: int
) -> list[DeviceDetail]:
    """Return the wanted phones, the newest first."""
    return _details(db, whose, phone_rows(db, whose, wanted, after=after, limit=limit))


def the_phone(db: Connection, whose: Whose, device: str) -> DeviceDetail:
    """Return one phone, with those of its buckets that are not of an area elsewhere.

    Raises:
        NotFound: if there is none, or it is somebody else's.
    """
    row = phone_row(db, whose, device)
    if row is None:
        raise NotFound
    return _details(db, whose, [row])[0]


def _details(db: Connection, whose: Whose, rows: Sequence[DeviceRow]) -> list[DeviceDetail]:
    said = {row.id: decode_said(row.said) for row in rows}
    named = sorted({each.bucket for some in said.values() for each in some})
    if whose.account is None:
        elsewhere = _elsewhere(db, whose, named)
        named = [each for each in named if each not in elsewhere]
        said = {
            device: tuple(each for each in some if each.bucket not in elsewhere)
            for device, some in said.items()
        }
    heads = bucket_heads(db, named)
    counts = waiting(db, [row.id for row in rows])
    return [
        _detail(row, counts, [_bucket(each, heads) for each in said[row.id]]) for row in rows
    ]


def _elsewhere(db: Connection, whose: Whose, buckets: Sequence[str]) -> set[str]:
    """Those of some buckets that belong to a place outside of the supervisor's area.

    A worker may be lent to another area: what it is called and how it goes there is not told.
    """
    places = {each: each.partition(":") for each in buckets}
    ids = [key for kind, _, key in places.values() if kind in {"area", "grid"}]
    hidden = areas_elsewhere(db, whose.area, ids)
    return {each for each, (_, _, key) in places.items() if key in hidden}


def _bucket(said: Said, heads: Mapping[str, BucketHead]) -> BucketView:
    head = heads.get(said.bucket) or empty_head(said.bucket)
    return BucketView(
        id=said.bucket,
        epoch=said.epoch,
        seq=said.seq,
        server_seq=head.seq,
        state=digest_state(said, head),
        since_ms=said.since_ms,
    )


def _detail(
    row: DeviceRow, counts: Mapping[tuple[str, str], int], buckets: list[BucketView]
) -> DeviceDetail:
    states = {each.state for each in buckets}
    differing = [each.since_ms for each in buckets if each.state is DigestState.DIFFERS]
    return DeviceDetail(
        id=row.id,
        account=row.account_id,
        login=row.login,
        name=row.name,
        status=DeviceStatus(row.status),
        settled_through=row.settled_through,
        pending=max(row.last_n - row.settled_through, 0),
        failures=Failures(
            held=counts.get((row.id, "held"), 0),
            quarantined=counts.get((row.id, "quarantined"), 0),
            invalid=row.invalid,
        ),
        last_contact_ms=row.last_contact_ms,
        offset_ms=row.offset_ms,
        app_version=row.app_version,
        created_ms=row.created_ms,
        lost_at_ms=row.lost_at_ms,
        digests=next((each for each in _WORST_FIRST if each in states), None),
        differs_since_ms=min(differing, default=None),
        buckets=buckets,
    )
