"""A grid worker's phone (protocol section 9, "Client contract")."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from clients.phone import outbox
from clients.phone.absence import Absence
from clients.phone.clock import Chance, PhoneClock, new_id, read
from clients.phone.outbox import DOUBTFUL, Work
from clients.phone.report import SyncReport
from clients.phone.rounds import APP_VERSION, Rounds
from clients.phone.store import BucketRow, Store
from clients.phone.transport import post_json
from clients.phone.uploads import CHUNK_BYTES, UploadReport, Uploads
from sync.exchange import WireOutcome
from sync.mutation import EMPTY, Position
from sync.outcome import Outcome
from sync.replica import Held, Shown, digest_of_bodies, is_past, shown_record


class UnknownRecord(LookupError):  # noqa: N818 - named as the condition it reports
    """The phone neither holds nor made a record of that id."""


class EnrolmentRefused(RuntimeError):  # noqa: N818 - named as the condition it reports
    """The server did not enrol the phone; `slug` is its problem type."""

    def __init__(self, slug: str) -> None:
        super().__init__(f"the server did not enrol this phone: {slug}")
        self.slug = slug


class Phone:
    """One phone: works offline at any time, and syncs when asked.

    `http` may be any `httpx.Client`: a real network, a test client of an ASGI application, or
    one with a transport of `clients.phone.faults`. The phone reads `clock` and draws from
    `chance` (ids and jitter); it never sleeps.
    """

    def __init__(
        self, path: Path | str, http: httpx.Client, *, clock: PhoneClock, chance: Chance
    ) -> None:
        self._store = Store(path)
        self._clock = clock
        self._chance = chance
        self._http = http
        self._absence = Absence(self._store, clock=clock)
        self._absence.check()
        self._uploads = Uploads(self._store, http)
        self._rounds = Rounds(self._store, http, clock=clock, chance=chance)

    def close(self) -> None:
        """Release the phone's file; everything is already on it."""
        self._store.close()

    # identity

    @property
    def device(self) -> str | None:
        """The id the server gave this phone, None before enrolment."""
        return self._store.setting("device")

    def enrol(self, base_url: str, worker_token: str, *, name: str = "phone") -> str:
        """Become a device of the token's worker and return its id.

        Enrolling again makes a new identity: the outbox is numbered anew and nothing in it is
        dropped. `base_url` may be empty if the HTTP client has one of its own.

        Raises:
            EnrolmentRefused: if the server answers with a problem, or not at all.
        """
        body = json.dumps({"name": name, "app_version": APP_VERSION}).encode()
        answer = post_json(self._http, f"{base_url}/v1/devices", worker_token, body)
        if answer.status != httpx.codes.CREATED or not isinstance(answer.value, dict):
            raise EnrolmentRefused(answer.problem if answer.status else "no-reply")
        with self._store.transaction():
            self._store.keep_setting("former", self.device)
            for setting in ("lease", "blocked", "due", "pacing", DOUBTFUL):
                self._store.keep_setting(setting, None)
            self._store.keep_setting("base_url", base_url)
            self._store.keep_setting("device", str(answer.value["id"]))
            self._store.keep_setting("token", str(answer.value["token"]))
        return str(answer.value["id"])

    def hand_over(self, actor: str | None) -> None:
        """Say who works with the phone from now on; None is the worker who enrolled it."""
        self._store.keep_setting("actor", actor)

    # work

    def create(
        self,
        kind: str,
        *,
        set: Mapping[str, Any] = EMPTY,  # noqa: A002 - the protocol's word
        add: Mapping[str, Sequence[str]] = EMPTY,
        position: Position | None = None,
        group: str | None = None,
    ) -> str:
        """Make a record and return its id; neighbours of one `group` are decided together."""
        record = new_id(self._clock, self._chance)
        self._write(
            Work(
                record=record,
                kind=kind,
                base=0,
                clock=read(self._clock),
                set=set,
                add=add,
                position=position,
                creates=True,
                group=group,
            )
        )
        return record

    def edit(
        self,
        record: str,
        *,
        set: Mapping[str, Any] = EMPTY,  # noqa: A002 - the protocol's word
        add: Mapping[str, Sequence[str]] = EMPTY,
        remove: Mapping[str, Sequence[str]] = EMPTY,
        group: str | None = None,
    ) -> int:
        """Change fields of a record the phone shows and return the mutation's n.

        Raises:
            UnknownRecord: if the phone shows no such record.
        """
        seen = self._seen(record)
        return self._write(
            Work(
                record=record,
                kind=seen.kind,
                base=seen.rev,
                clock=read(self._clock),
                set=set,
                add=add,
                remove=remove,
                group=group,
            )
        )

    def act(
        self,
        record: str,
        act: str,
        args: Mapping[str, Any] = EMPTY,
        *,
        position: Position | None = None,
        group: str | None = None,
    ) -> int:
        """Claim or decide something about a record the phone shows; return the mutation's n.

        Raises:
            UnknownRecord: if the phone shows no such record.
        """
        seen = self._seen(record)
        return self._write(
            Work(
                record=record,
                kind=seen.kind,
                base=seen.rev,
                clock=read(self._clock),
                act=act,
                args=args,
                position=position,
                group=group,
            )
        )

    def _seen(self, record: str) -> Shown:
        seen = self.shown(record)
        if seen is None:
            raise UnknownRecord(record)
        return seen

    def _write(self, work: Work) -> int:
        with self._store.transaction():
            return outbox.write_down(self._store, work)

    # contact

    def sync(self) -> SyncReport:
        """Contact the server until nothing waits and every bucket has been followed to its end.

        A pause the server asked for (`Retry-After`) is kept: then nothing is sent. Any other
        failure ends the sync; what was done until then is kept and `wait_s` says when to try
        again.
        """
        return self._rounds.run()

    def ask_again(self) -> SyncReport:
        """Sync, and learn what became of work that waits for a person.

        It is sent once more and nothing is decided anew; `became` of each of the report's
        outcomes says what the office made of it, None while it still waits.
        """
        with self._store.transaction():
            self._store.ask_about((Outcome.HELD, Outcome.QUARANTINED))
        return self._rounds.run()

    def sync_if_due(self) -> SyncReport | None:
        """Sync unless the server's pacing or the last failure asks to wait longer."""
        return self._rounds.run() if self.due_in_s() == 0 else None

    def due_in_s(self) -> int:
        """How many seconds to wait before the next automatic sync."""
        return self._rounds.due_in_s()

    # photos

    def keep_photo(self, content: bytes, media_type: str) -> str:
        """Keep a photo or recording and return the hash by which work names it."""
        return self._store.photos.keep(content, media_type)

    def kept_photos(self) -> list[str]:
        """Return the hashes of the photos the server does not have yet, sorted."""
        return self._store.photos.kept()

    def upload_photos(self, *, chunk_bytes: int = CHUNK_BYTES) -> UploadReport:
        """Send the photos that the last reply asked for, and drop those that arrived.

        Call it when `sync` is done and the network may be used for more: records go first. It
        ends at the first failure; what was sent until then need not be sent again.
        """
        return self._uploads.run(chunk_bytes=chunk_bytes)

    # reading

    def _kept(self) -> Store:
        """The phone's file, without what it must not keep any longer."""
        self._absence.check()
        return self._store

    def shown(self, record: str) -> Shown | None:
        """Return what the phone shows of a record: server state under its own unsent work.

        What is past its date is not shown, though it is held until the server says it is gone.
        """
        store = self._kept()
        held, overlay = store.held(record), store.overlay(record)
        state = None if held is None else _state(held)
        if held and state and is_past(held.kind, state, self._absence.now_ms()):
            return None
        return shown_record(
            held,
            state,
            [outbox.as_mutation(row) for row in overlay],
            created_here=bool(overlay) and overlay[0].creates,
        )

    def records(self, kind: str | None = None) -> list[Shown]:
        """Return what the phone shows of all records of a kind, by id."""
        store = self._kept()
        ids = {held.record for held in store.held_of_kind(kind)}
        ids |= set(store.records_created_here(kind))
        return [shown for each in sorted(ids) if (shown := self.shown(each)) is not None]

    def held(self, record: str) -> Held | None:
        """Return a record exactly as the server sent it."""
        return self._kept().held(record)

    def bodies(self) -> dict[str, bytes]:
        """Return the stored bytes of every record, by id."""
        return {held.record: held.body for held in self._kept().held_of_kind(None)}

    def digests(self) -> dict[str, str]:
        """Return each followed bucket's digest, computed from the stored bytes."""
        store = self._kept()
        return {row.id: digest_of_bodies(store.bodies(row.id)) for row in store.buckets()}

    def followed(self) -> list[BucketRow]:
        """Return every followed bucket with its position, by id."""
        return self._kept().buckets()

    def holdings(self) -> list[Held]:
        """Return every record of the replica as it is stored, by id."""
        return self._kept().held_of_kind(None)

    def last_n(self) -> int:
        """Return the highest n that was ever given out under the present identity."""
        return outbox.last_n(self._store)

    def pending(self) -> list[int]:
        """Return the n of work whose outcome is not known yet, in order."""
        return [row.n for row in self._kept().waiting()]

    def outcomes(self) -> list[WireOutcome]:
        """Return the outcomes of the last 14 days, in n order."""
        return self._kept().outcomes()

    def is_up_to_date(self) -> bool:
        """Say whether every bucket was followed to its end and has the server's digest."""
        return self._rounds.is_up_to_date()


def _state(held: Held) -> Mapping[str, Any]:
    state: Mapping[str, Any] = json.loads(held.body)["state"]
    return state
