"""The promises of the protocol, checked from outside on what really lies in the store.

Three questions. Does every phone hold exactly what the server holds of its buckets? Is every
mutation that a phone was told is settled in the store, with that outcome and its effect? Has
any mutation had its effect twice? Nothing of the server's code answers: the tables are read
in plain SQL, digests are computed from stored bytes, and the truth is decoded by `sync`.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from demo.queries import Mutated, Stored
from sync.codec import decode_record
from sync.ids import derived_id
from sync.record import Cell, Record

EFFECTIVE = frozenset({"applied", "merged", "conflict", "unchanged"})
PLAIN_KINDS = frozenset({"household", "resident", "visit", "report"})
"""Kinds whose revision moves only by mutations of the record itself, each to a new number.

A household's moves once more by each visit that was done and is the latest so far.
"""

_CLAIM = "claim"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneSays:
    """What one phone believes: digests by bucket, outcomes by n, what it has not got rid of.

    `done_ms` is not its belief but the truth: when each of its mutations was really made.
    """

    login: str
    device: str
    digests: Mapping[str, str]
    settled: Mapping[int, str]
    pending: int
    up_to_date: bool
    done_ms: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What is wrong; every list is empty when the promises held."""

    diverged: tuple[str, ...]
    lost: tuple[str, ...]
    twice: tuple[str, ...]

    @property
    def kept(self) -> bool:
        """Whether every promise held."""
        return not (self.diverged or self.lost or self.twice)


def digest_by_bucket(records: Iterable[Stored]) -> dict[str, str]:
    """Return each bucket's digest: XOR of the first 8 bytes of the SHA-256 of each body."""
    sums: dict[str, int] = {}
    for record in records:
        first = int.from_bytes(sha256(record.body).digest()[:8])
        sums[record.bucket] = sums.get(record.bucket, 0) ^ first
    return {bucket: f"{total:016x}" for bucket, total in sums.items()}


def diverged(phones: Iterable[PhoneSays], records: Mapping[str, Stored]) -> list[str]:
    """Return the phones whose replica is not the server's, or that know they are behind."""
    digests = digest_by_bucket(records.values())
    return [
        phone.login
        for phone in phones
        if not phone.up_to_date
        or phone.pending
        or any(digests.get(key, "0" * 16) != seen for key, seen in phone.digests.items())
    ]


class Ledger:
    """All stored mutations and records, with the questions about one mutation."""

    def __init__(self, mutations: Sequence[Mutated], records: Mapping[str, Stored]) -> None:
        self.records = records
        self.mutations = mutations
        self.rows: dict[tuple[str, int], list[Mutated]] = {}
        self.by_record: dict[str, list[Mutated]] = {}
        for each in mutations:
            self.rows.setdefault((each.device, each.n), []).append(each)
            self.by_record.setdefault(each.record, []).append(each)
        self._decoded: dict[str, Record] = {}

    def lost(self, phone: PhoneSays) -> list[str]:
        """Return what the server cannot account for of what it acknowledged to a phone."""
        return [
            f"{phone.login} {n}: {reason}"
            for n, outcome in sorted(phone.settled.items())
            if (reason := self._missing(phone.device, n, outcome)) is not None
        ]

    def _missing(self, device: str, n: int, outcome: str) -> str | None:
        rows = self.rows.get((device, n), [])
        if not rows:
            return "not stored"
        row = rows[0]
        if row.outcome != outcome:
            return f"acknowledged as {outcome}, stored as {row.outcome}"
        body = json.loads(row.body)
        if "act" in body:
            return self._missing_claim(row)
        if outcome not in EFFECTIVE:
            return None
        if row.record not in self.records:
            return "its record does not exist"
        return self._missing_values(row, body)

    def _missing_claim(self, row: Mutated) -> str | None:
        """Every claim, counted or not, is a record of its own."""
        if row.outcome not in EFFECTIVE | {"recorded"}:
            return None
        claim = derived_id(row.device, row.n, _CLAIM)
        return None if claim in self.records else "its claim is not recorded"

    def _missing_values(self, row: Mutated, body: Mapping[str, Any]) -> str | None:
        """Each value must be live, kept in a conflict, or replaced by one who had seen it."""
        record = self._record(row.record)
        for name, value in body.get("set", {}).items():
            cell = record.fields.get(name)
            if not (_holds(cell, value) or self._moot(row, name, value)):
                return f"the value of {name} is gone"
        for word, present in (("add", True), ("remove", False)):
            for name, elements in body.get(word, {}).items():
                cells = record.sets.get(name, {})
                kept = all(_holds(cells.get(each), present) for each in elements)
                if not kept and not self._replaced(row, name):
                    return f"an element of {name} is gone"
        return None

    def _moot(self, row: Mutated, name: str, value: Any) -> bool:
        """Say whether a value need not be there any more, or never asked for anything."""
        return self._replaced(row, name) or self._restates(row, name, value)

    def _restates(self, row: Mutated, name: str, value: Any) -> bool:
        """Say whether the author only repeated a value that stood when the author looked."""
        known = [
            each
            for each in self.by_record[row.record]
            if each.outcome in EFFECTIVE
            and _touches(each, name)
            and (each.rev <= row.base or (each.device == row.device and each.n < row.n))
        ]
        return any(
            _value(each, name) == value and not any(_saw(later, each) for later in known)
            for each in known
        )

    def _record(self, record_id: str) -> Record:
        if record_id not in self._decoded:
            stored = self.records[record_id]
            self._decoded[record_id] = decode_record(
                record_id, stored.kind, stored.bucket, stored.rev, stored.truth
            )
        return self._decoded[record_id]

    def _replaced(self, row: Mutated, name: str) -> bool:
        """Say whether a later author changed the field, having seen this value there."""
        return any(
            later.outcome in EFFECTIVE and _touches(later, name) and _saw(later, row)
            for later in self.by_record[row.record]
        )

    def twice(self) -> list[str]:
        """Return effects that happened more often than they were asked for."""
        found = [
            f"mutation {n} stored {len(r)} times" for (_, n), r in self.rows.items() if r[1:]
        ]
        verified = self._verified()
        for record_id, stored in self.records.items():
            if stored.kind in PLAIN_KINDS:
                rows = self.by_record.get(record_id, ())
                asked = len({each.rev for each in rows if each.outcome in EFFECTIVE})
                again = max(0, stored.rev - asked - verified[record_id])
                found += [f"a {stored.kind} changed once too often"] * again
        return found + self._surplus(_CLAIM) + self._surplus("incident")

    def _verified(self) -> Counter[str]:
        """How often a visit that was done was the latest of its household so far."""
        times: Counter[str] = Counter()
        latest: dict[str, int] = {}
        for row in sorted(self.mutations, key=lambda each: each.pos):
            if row.kind != "visit" or row.outcome not in EFFECTIVE:
                continue
            visit = self._record(row.record)
            home, at_ms = _first(visit, "household"), _first(visit, "visited_at_ms")
            if _first(visit, "outcome") == "done" and at_ms > latest.get(home, 0):
                latest[home] = at_ms
                times[home] += 1
        return times

    def _surplus(self, kind: str) -> list[str]:
        """Records made by rule: one claim for an act, one incident for a report, no more."""
        ids = {record_id for record_id, each in self.records.items() if each.kind == kind}
        if kind == _CLAIM:
            asked = {derived_id(m.device, m.n, _CLAIM) for m in self.mutations}
        else:
            asked = {derived_id(m.record, kind) for m in self.mutations if m.kind == "report"}
            asked |= {m.record for m in self.mutations if m.kind == kind}
        return [f"a {kind} nobody asked for"] * len(ids - asked)


def _holds(cell: Cell | None, value: Any) -> bool:
    if cell is None:
        return False
    return any(head.value == value for head in (*cell.heads, *cell.kept))


def _first(record: Record, name: str) -> Any:
    """The value of a field that nobody may change."""
    return record.fields[name].heads[0].value


def _saw(later: Mutated, row: Mutated) -> bool:
    """Say whether the author of `later` knew what `row` had done."""
    own = later.device == row.device and later.n > row.n
    return later is not row and (own or later.base >= row.rev)


def _value(row: Mutated, name: str) -> Any:
    body = json.loads(row.body)
    if body.get("act") == "resolve":
        return body["args"].get("value")
    return body.get("set", {}).get(name)


def _touches(row: Mutated, name: str) -> bool:
    body = json.loads(row.body)
    if body.get("act") == "resolve":
        return bool(body.get("args", {}).get("field") == name)
    return any(name in body.get(word, {}) for word in ("set", "add", "remove"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """How the times of one quality came out: how many, and the largest error."""

    count: int
    error_ms: int


def corrected_times(
    phones: Iterable[PhoneSays], mutations: Iterable[Mutated]
) -> dict[str, Corrected]:
    """Compare the corrected time of each deed with the time at which it was really done."""
    true_ms = {(each.device, n): ms for each in phones for n, ms in each.done_ms.items()}
    found: dict[str, Corrected] = {}
    for row in mutations:
        if (row.device, row.n) not in true_ms:
            continue
        so_far = found.get(row.quality, Corrected(count=0, error_ms=0))
        error_ms = abs(row.at_ms - true_ms[row.device, row.n])
        found[row.quality] = Corrected(
            count=so_far.count + 1, error_ms=max(so_far.error_ms, error_ms)
        )
    return found


def examine(
    phones: Sequence[PhoneSays], mutations: Sequence[Mutated], records: Mapping[str, Stored]
) -> Findings:
    """Check every promise; the answer names logins, numbers and fields, never values."""
    ledger = Ledger(mutations, records)
    return Findings(
        diverged=tuple(diverged(phones, records)),
        lost=tuple(each for phone in phones for each in ledger.lost(phone)),
        twice=tuple(ledger.twice()),
    )
