"""Making a bucket right again without fetching all of it: compare parts, fetch what differs."""

from collections.abc import Mapping

import httpx

from clients.phone.report import Failure
from clients.phone.store import Store
from clients.phone.transport import Answer, Line
from sync.canonical import record_hash
from sync.errors import ProtocolError
from sync.manifest import (
    BucketState,
    difference,
    differing_parts,
    part_digests,
    part_of,
    read_manifest,
    read_parts,
    read_records,
)
from sync.replica import Held, held_from

RECORDS_A_CALL = 500
FETCH_MAX = 2_000


class Anew(Exception):  # noqa: N818 - named as what has to be done
    """Comparing does not pay or is not offered: fetch the bucket from its start."""


class Broken(Exception):  # noqa: N818 - named as the condition it reports
    """Contact failed in the middle; nothing was changed."""

    def __init__(self, answer: Answer, failure: Failure) -> None:
        super().__init__(failure.slug)
        self.answer = answer
        self.failure = failure


class Repair:
    """Compares one bucket with the server's and stores the difference in one transaction."""

    def __init__(self, store: Store, line: Line) -> None:
        self._store = store
        self._line = line

    def run(self, bucket: str) -> None:
        """Make a bucket what it was when its parts were listed; the feed goes on from there.

        What is compared is computed from the stored bytes, so damaged ones are found too. What
        changes on the server meanwhile comes with the feed.

        Raises:
            Anew: if the server cannot list the bucket, or more differs than is worth it.
            Broken: if contact failed.
        """
        bodies = self._store.bodies_by_id(bucket)
        held = {record: record_hash(body) for record, body in bodies}
        state = self._parts(bucket)
        parts = differing_parts(_digests(held), state.parts)
        if 2 * len(parts) > len(state.parts):
            raise Anew
        listed = self._manifest(bucket, parts) if parts else {}
        here = {record: each for record, each in held.items() if part_of(record) in parts}
        found = difference(here, listed)
        if len(found.fetch) > FETCH_MAX:
            raise Anew
        put = self._records(bucket, found.fetch)
        with self._store.transaction():
            self._store.repair(bucket, drop=found.drop, put=put, state=state)

    def _parts(self, bucket: str) -> BucketState:
        answer = self._line.get(f"/v1/sync/manifests/{bucket}/parts")
        try:
            return read_parts(_value_of(answer))
        except ProtocolError as fault:
            raise Anew from fault

    def _manifest(self, bucket: str, parts: tuple[str, ...]) -> dict[str, str]:
        query = "&".join(f"part={each}" for each in parts)
        answer = self._line.get(f"/v1/sync/manifests/{bucket}?{query}")
        try:
            return read_manifest(_value_of(answer))
        except ProtocolError as fault:
            raise Anew from fault

    def _records(self, bucket: str, wanted: tuple[str, ...]) -> list[Held]:
        """Fetch records; one that left meanwhile is not there, and the feed says so."""
        put: list[Held] = []
        for start in range(0, len(wanted), RECORDS_A_CALL):
            chunk = list(wanted[start : start + RECORDS_A_CALL])
            answer = self._line.post("/v1/sync/records", {"records": chunk})
            try:
                items = read_records(_value_of(answer))
            except ProtocolError as fault:
                raise Anew from fault
            put += [held for item in items if (held := held_from(item, bucket)) is not None]
        return put


def _digests(held: Mapping[str, str]) -> tuple[str, ...]:
    """Return the digests of the parts as held; an id that none can have is damage."""
    try:
        return part_digests(held.items())
    except ValueError as fault:
        raise Anew from fault


def _value_of(answer: Answer) -> object:
    """Return what a call answered.

    Raises:
        Anew: if the server refuses: what it does not give this way it gives by pages.
        Broken: if there was no answer, or the server asks to wait.
    """
    if answer.status == httpx.codes.OK:
        return answer.value
    if answer.status is None:
        raise Broken(answer, Failure(slug="no-reply"))
    if answer.status == httpx.codes.TOO_MANY_REQUESTS or answer.status >= 500:
        raise Broken(answer, Failure(slug=answer.problem, status=answer.status))
    raise Anew
