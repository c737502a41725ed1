"""What a scenario plays on: the client under test, its network, and the town behind it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from conformance.contract import Client, ContractBroken, Refused, member
from conformance.town import ANN, Town
from conformance.wire import Exchange, Wire
from server.clock import continue_from, now_ms
from sync.canonical import digest_of, record_hash

MINUTE_MS: Final = 60_000
ROUNDS_MAX: Final = 12
UP_FOR_MS: Final = 5_000_000


class Broken(Exception):  # noqa: N818 - named as the condition it reports
    """The client does not do what the protocol says it must; the message says what it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """What the client says that it keeps, as `dump` answers."""

    device: str
    last_n: int
    waiting: tuple[int, ...]
    outcomes: Mapping[int, str]
    buckets: Mapping[str, Mapping[str, Any]]
    bodies: Mapping[str, bytes]
    homes: Mapping[str, str]

    def hashes(self, bucket: str) -> list[str]:
        """The hashes of what is kept of a bucket, computed here from the bytes."""
        return [
            record_hash(body) for key, body in self.bodies.items() if self.homes[key] == bucket
        ]


@dataclass(slots=True, kw_only=True)
class Stage:
    """One scenario's world. Time stands still unless it is moved."""

    client: Client
    wire: Wire
    town: Town
    folder: Path
    uptime_ms: int = UP_FOR_MS
    boot: str = "boot-1"
    wall_error_ms: int = 0
    true_ms: int = field(default_factory=now_ms)
    worker: str = ANN

    # the phone's surroundings

    def open(self) -> None:
        """Start the client if it does not run, and let it open its folder at this time."""
        self.client.start()
        self.client.ask("open", folder=str(self.folder))
        self.tell_time()

    def tell_time(self) -> None:
        """Show the client its clocks, and let the server live at the same time."""
        continue_from(self.true_ms)
        self.client.ask(
            "clock",
            wall_ms=self.true_ms + self.wall_error_ms,
            uptime_ms=self.uptime_ms,
            boot=self.boot,
        )

    def advance(self, span_ms: int) -> None:
        """Let time pass for everybody."""
        self.true_ms += span_ms
        self.uptime_ms += span_ms
        self.tell_time()

    def reboot(self, boot: str) -> None:
        """Restart the phone: uptime counts from zero under a new boot id."""
        self.boot, self.uptime_ms = boot, 1_000
        self.crash()

    def crash(self) -> None:
        """Kill the client's process and start another one on the same folder."""
        self.client.kill()
        self.open()

    # what the worker does

    def enrol(self, login: str = ANN) -> str:
        """Enrol the client as a phone of a worker and return the device's id."""
        self.worker = login
        answer = self.client.ask("enrol", url=self.wire.url, token=self.town.tokens[login])
        return str(member(answer, "device", str))

    def begin(self, login: str = ANN) -> None:
        """Open, enrol and sync until everything is there."""
        self.open()
        self.enrol(login)
        self.come_to_rest()

    def create(self, kind: str, **members: Any) -> str:
        """Make a record on the phone and return its id."""
        return str(member(self.client.ask("create", kind=kind, **members), "record", str))

    def note(self, parent: str, text: str = "seen") -> str:
        """Write a note about a record."""
        return self.create("note", set={"parent": parent, "text": text})

    def edit(self, record: str, **members: Any) -> int:
        """Change a record on the phone and return the mutation's n."""
        return int(member(self.client.ask("edit", record=record, **members), "n", int))

    def act(self, record: str, act: str, **members: Any) -> int:
        """Claim something on the phone and return the mutation's n."""
        return int(member(self.client.ask("act", record=record, act=act, **members), "n", int))

    def sync(self) -> Mapping[str, Any]:
        """Let the client sync once and return its answer."""
        answer: Mapping[str, Any] = self.client.ask("sync")
        member(answer, "up_to_date", bool)
        return answer

    def come_to_rest(self) -> Mapping[str, Any]:
        """Sync, with pauses, until nothing waits and everything is there."""
        answer: Mapping[str, Any] = {}
        for _ in range(ROUNDS_MAX):
            answer = self.sync()
            if answer.get("enrol_again"):
                raise Broken("asks to be enrolled again where nothing calls for it")
            if answer["up_to_date"] and not self.dump().waiting:
                return answer
            self.advance(20 * MINUTE_MS)
        raise Broken(f"does not come to rest within {ROUNDS_MAX} syncs: {answer}")

    # what is seen of the client

    def dump(self) -> Copy:
        """Return what the client keeps.

        Raises:
            ContractBroken: if the answer is not one of the contract.
        """
        answer = self.client.ask("dump")
        records = member(answer, "records", list)
        try:
            return Copy(
                device=str(answer["device"]),
                last_n=int(answer["last_n"]),
                waiting=tuple(int(n) for n in answer["waiting"]),
                outcomes={int(each["n"]): str(each["outcome"]) for each in answer["outcomes"]},
                buckets={str(each["id"]): each for each in answer["buckets"]},
                bodies={str(each["record"]): str(each["body"]).encode() for each in records},
                homes={str(each["record"]): str(each["bucket"]) for each in records},
            )
        except (KeyError, TypeError, ValueError):
            raise ContractBroken(
                "an answer to 'dump' lacks a member or has a wrong one"
            ) from None

    def shown(self, record: str) -> Mapping[str, Any] | None:
        """Return what the client shows of a record, None if nothing."""
        found: Mapping[str, Any] | None = self.client.ask("shown", record=record).get("shown")
        return found

    def requests(self) -> list[Mapping[str, Any]]:
        """Every sync request so far, parsed."""
        return [each.value or {} for each in self.wire.syncs()]

    def sent(self) -> list[tuple[int, Mapping[str, Any]]]:
        """Every mutation sent so far as `(call, mutation)`, repetitions too."""
        return [
            (number, mutation)
            for number, request in enumerate(self.requests())
            for mutation in request.get("mutations") or ()
        ]

    # judging

    def must(self, fine: object, otherwise: str) -> None:
        """Raise `Broken` with a message unless `fine`."""
        if not fine:
            raise Broken(otherwise)

    def must_hold_the_same(self, buckets: tuple[str, ...]) -> None:
        """Hold the client's copy of some buckets against the server's, byte for byte."""
        copy, stored = self.dump(), self.town.records()
        for bucket in buckets:
            self.must(bucket in copy.buckets, f"does not follow {bucket}")
            theirs = {
                key: each.body
                for key, each in stored.items()
                if each.bucket == bucket and each.fed
            }
            ours = {key: copy.bodies[key] for key, home in copy.homes.items() if home == bucket}
            self.must(not theirs.keys() - ours.keys(), f"lacks records of {bucket}")
            self.must(not ours.keys() - theirs.keys(), f"keeps what is not in {bucket}")
            for key, body in theirs.items():
                self.must(ours[key] == body, f"keeps other bytes of a {stored[key].kind}")
            self.must(
                copy.buckets[bucket].get("digest") == digest_of(copy.hashes(bucket)),
                f"tells a digest of {bucket} that is not that of what it keeps",
            )

    def refused(self, command: Callable[[], Any]) -> bool:
        """Say whether the client refuses to do something."""
        try:
            command()
        except Refused:
            return True
        return False


def last_heard(exchanges: list[Exchange]) -> Any:
    """Return the parsed body of the last whole reply that a client was given, or None."""
    heard = [each.heard for each in exchanges if each.heard is not None]
    return heard[-1].value if heard else None
