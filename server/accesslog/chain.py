"""The chain of hashes: pure rules over plain values."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from sync.canonical import canonical


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """An entry as it was noted. `records` are ids in the order in which they were given.

    `fields` are said of looks at what is masked or sealed, `reason` of these and of what was
    read outside the reader's own area by breaking the glass; `grant` is the id of that.
    """

    id: str
    at_ms: int
    account: str
    act: str
    kind: str
    records: tuple[str, ...]
    purpose: str | None
    fields: tuple[str, ...] = ()
    reason: str | None = None
    grant: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """An entry in its place."""

    noted: Noted
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the chain: the hash of the entry with this number. (0, "") is before all."""

    seq: int
    hash: str


def link(previous: str, seq: int, noted: Noted) -> str:
    """Return the hash of an entry: SHA-256 over its canonical bytes and the previous hash.

    Members that came later stand in it only if they say something: older hashes stay true.
    """
    later = {"fields": list(noted.fields), "reason": noted.reason, "grant": noted.grant}
    said = {name: each for name, each in later.items() if each} | {
        "previous": previous,
        "seq": seq,
        "id": noted.id,
        "at_ms": noted.at_ms,
        "account": noted.account,
        "act": noted.act,
        "kind": noted.kind,
        "records": list(noted.records),
        "purpose": noted.purpose,
    }
    return sha256(canonical(said)).hexdigest()


def sealed(head: Mark, entries: Iterable[Noted]) -> list[Sealed]:
    """Put entries into their places after `head`, in the order given."""
    done: list[Sealed] = []
    seq, previous = head.seq, head.hash
    for each in entries:
        seq += 1
        previous = link(previous, seq, each)
        done.append(Sealed(noted=each, seq=seq, hash=previous))
    return done


def unfindable(entries: Iterable[Sealed], ways: Mapping[str, Collection[str]]) -> list[str]:
    """Return the faults of entries that are not found from exactly the records they name.

    `ways` are the records from which each entry (by id) is found: whoever takes one away hides
    an access from the person it was about, and leaves the chain as it is.
    """
    return [
        f"entry {each.seq} is not found from the records that it names"
        for each in entries
        if set(ways.get(each.noted.id, ())) != set(each.noted.records)
    ]


class Walk:
    """A walk along the chain from its base, which notes what does not fit.

    Give it every sealed entry by `seq`, then ask `faults`. `anchors` are marks kept outside.
    """

    def __init__(self, base: Mark, anchors: Mapping[int, str]) -> None:
        self._at = base
        self._base = base
        self._anchors = anchors
        self._faults: list[str] = []
        self._compare(base)

    def step(self, entry: Sealed) -> None:
        """Check the next entry."""
        expected = self._at.seq + 1
        if entry.seq != expected:
            self._faults.append(f"entry {expected} is missing, {entry.seq} follows")
        elif link(self._at.hash, entry.seq, entry.noted) != entry.hash:
            self._faults.append(f"entry {entry.seq} is not what was sealed")
        self._at = Mark(entry.seq, entry.hash)
        self._compare(self._at)

    def faults(self, head: Mark) -> list[str]:
        """Return what is wrong, with the recorded end of the chain taken into account."""
        found = list(self._faults)
        if head != self._at:
            found.append(f"the chain ends at {self._at.seq}, its head says {head.seq}")
        last = max(self._anchors, default=0)
        if last > self._at.seq:
            found.append(f"the chain ends at {self._at.seq}, the anchor knows {last}")
        return found

    def _compare(self, mark: Mark) -> None:
        anchored = self._anchors.get(mark.seq)
        if anchored is not None and anchored != mark.hash:
            self._faults.append(f"entry {mark.seq} is not the one that was anchored")
