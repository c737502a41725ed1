"""The reference phone behind the contract of `jingwei conformance`: JSON lines in and out.

jingwei conformance "python -m clients.conformance"
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

import httpx

from clients.phone import Phone, SteppedClock
from clients.phone.phone import UnknownRecord
from sync.mutation import Datum, Position

CALL_S = 20.0
IDENTITY_OVER = "stale-lease"


class _SystemChance:
    """Chance from the operating system (`clients.phone.clock.Chance`)."""

    def getrandbits(self, k: int, /) -> int:
        """Return `k` bits."""
        return int.from_bytes(os.urandom((k + 7) // 8)) >> -k % 8

    def random(self) -> float:
        """Return a number in [0, 1)."""
        return self.getrandbits(53) / (1 << 53)


class Adapter:
    """One client process: the commands of the contract, by name."""

    def __init__(self) -> None:
        self._clock = SteppedClock(wall_ms=0)
        self._http = httpx.Client(timeout=CALL_S)
        self._phone: Phone | None = None
        self.commands: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "hello": self.hello,
            "open": self.open,
            "clock": self.clock,
            "enrol": self.enrol,
            "create": self.create,
            "edit": self.edit,
            "act": self.act,
            "sync": self.sync,
            "due": self.due,
            "shown": self.shown,
            "dump": self.dump,
        }

    @property
    def phone(self) -> Phone:
        """The opened phone; raises LookupError before `open`."""
        if self._phone is None:
            raise LookupError("open a folder first")
        return self._phone

    def hello(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Say who answers."""
        return {"client": "jingwei reference phone", "contract": 1}

    def open(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Open the phone whose file is in a folder; make it if there is none."""
        if self._phone is not None:
            self._phone.close()
        path = Path(str(asked["folder"])) / "phone.sqlite"
        self._phone = Phone(path, self._http, clock=self._clock, chance=_SystemChance())
        return {}

    def clock(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Show these clocks from now on."""
        self._clock.wall_ms = int(asked["wall_ms"])
        self._clock.uptime_ms = int(asked["uptime_ms"])
        self._clock.boot = str(asked["boot"])
        return {}

    def enrol(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Become a device of the token's worker."""
        return {"device": self.phone.enrol(str(asked["url"]), str(asked["token"]))}

    def create(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Make a record."""
        record = self.phone.create(
            str(asked["kind"]),
            set=asked.get("set", {}),
            add=asked.get("add", {}),
            position=_position(asked.get("position")),
        )
        return {"record": record}

    def edit(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Change a record."""
        members = {name: asked.get(name, {}) for name in ("set", "add", "remove")}
        return {"n": self.phone.edit(str(asked["record"]), **members)}

    def act(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Claim something."""
        n = self.phone.act(
            str(asked["record"]),
            str(asked["act"]),
            asked.get("args", {}),
            position=_position(asked.get("position")),
        )
        return {"n": n}

    def sync(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Contact the server once, however many calls that takes."""
        report = self.phone.sync()
        return {
            "up_to_date": report.up_to_date,
            "failure": None if report.failure is None else report.failure.slug,
            "enrol_again": report.identity_doubtful,
        }

    def due(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Say when the next automatic sync is due."""
        return {"seconds": self.phone.due_in_s()}

    def shown(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Say what is shown of a record."""
        found = self.phone.shown(str(asked["record"]))
        if found is None:
            return {"shown": None}
        shown = {"rev": found.rev, "state": dict(found.state), "pending": list(found.pending)}
        return {"shown": shown}

    def dump(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Say everything that is kept."""
        phone = self.phone
        digests = phone.digests()
        return {
            "device": phone.device or "",
            "last_n": phone.last_n(),
            "waiting": phone.pending(),
            "outcomes": [
                {"n": each.n, "outcome": each.outcome, "code": each.code}
                for each in phone.outcomes()
            ],
            "buckets": [
                {
                    "id": each.id,
                    "epoch": each.epoch,
                    "seq": each.seq,
                    "digest": digests[each.id],
                }
                for each in phone.followed()
            ],
            "records": [
                {"record": each.record, "bucket": each.bucket, "body": each.body.decode()}
                for each in phone.holdings()
            ],
        }


def _position(value: Mapping[str, Any] | None) -> Position | None:
    if value is None:
        return None
    return Position(
        lon_e7=value["lon_e7"],
        lat_e7=value["lat_e7"],
        datum=Datum(value["datum"]),
        accuracy_cm=value["accuracy_cm"],
    )


def answer(adapter: Adapter, line: str) -> str:
    """Return the answer to one line; what cannot be done is an `error`."""
    asked = json.loads(line)
    try:
        command = adapter.commands[asked["do"]]
        said = command(asked)
    except UnknownRecord:
        said = {"error": "the phone does not show this record"}
    except (LookupError, ValueError, TypeError, RuntimeError) as error:
        said = {"error": f"{type(error).__name__}: {error}"}
    return json.dumps({"id": asked["id"], **said}, ensure_ascii=False)


def serve(adapter: Adapter, lines: TextIO, out: TextIO) -> None:
    """Answer line after line until there are no more."""
    for line in lines:
        out.write(answer(adapter, line) + "\n")
        out.flush()


def main() -> None:
    """Serve on standard input and output."""
    sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]  # a text file here
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    serve(Adapter(), sys.stdin, sys.stdout)


if __name__ == "__main__":
    main()
