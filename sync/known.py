"""The values a push is decided from, and the plan that comes out (protocol section 8)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sync.mutation import EMPTY, Mutation, Quality
from sync.outcome import Code, Outcome
from sync.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A span of time, `lo_ms` included, `hi_ms` excluded; None = still running."""

    lo_ms: int
    hi_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who sends a batch: the enrolled device, its signed-in account, and where it is at home.

    `console` authors are checked for authority before the batch reaches the core. A record
    whose place lies in no grid lives in `home_bucket`, `user:<account id>`.
    """

    device: str
    account: str
    role: str
    console: bool
    home_bucket: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """A measured position after conversion to WGS 84, with the grid it lies in, if any.

    `certain` is False when the accuracy leaves more than one grid possible.
    """

    grid: str | None
    lon_e7: int
    lat_e7: int
    certain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceState:
    """What is stored about a device.

    `settled_through` is the highest n with a final outcome; `floor_ms` the corrected time of
    that mutation; `last_n` the highest n the device had allocated at its last contact, and
    `last_contact_ms` when that was; `offset_ms` server minus device wall clock, then.
    """

    settled_through: int
    flagged: bool
    revoked: bool
    floor_ms: int
    last_contact_ms: int | None
    last_n: int
    offset_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """One mutation and what became of it. `field` names what `code` is about, never a value.

    `record` and `kind` are None when a malformed body did not name them readably. `ended_at` is
    the record it had its effect on, and `rev` is of, if the one it named was merged into that.
    `became` is what a ruling made of one that waited: an outcome, or `refused`.
    """

    n: int
    record: str | None
    kind: str | None
    outcome: Outcome
    code: Code | None
    field: str | None
    rev: int
    at_ms: int
    quality: Quality
    body_hash: str
    replayed: bool
    base: int
    actor: str | None
    body: bytes
    became: str | None = None
    ended_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """Another account that may act on a device, with its own authority (see `Known`).

    What it did at `until_ms` or later is not its own any more; None = it still may.
    """

    author: Author
    authority: Mapping[str, tuple[Interval, ...]]
    until_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A settled mutation that had no effect yet, with what was judged when it arrived.

    `author` is whose work it is. `believed` is False when it names an actor that is no worker.
    `waits` is False once it was released or refused. `later` is what the same device has said
    since about the same record and was taken.
    """

    author: Author
    mutation: Mutation
    at_ms: int
    quality: Quality
    authority: Mapping[str, tuple[Interval, ...]] = field(default_factory=lambda: EMPTY)
    later: tuple[Mutation, ...] = ()
    believed: bool = True
    waits: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Everything a batch is decided from.

    `settled` holds the stored outcomes of the n that the batch repeats. `records` holds every
    existing record that `sync.push.references` asks for. `authority` says when the author's
    assignments covered each bucket; absent = never. `located` is by n. `faulty` are the n that
    could not be stored as decided: a person must look. `doubtful` are the n whose position
    seems to be labelled with a wrong datum: what would count waits for a person. `stopped` says
    that an earlier part of the same request met a gap. `actors` are the accounts accepted
    beside the author, by id. `held` is, by the n of a console's ruling, what it is about.
    `group` is the group of the mutation settled last; it needs to be known only if the batch
    holds mutations with one.
    """

    device: DeviceState
    settled: Mapping[int, Settled] = field(default_factory=lambda: EMPTY)
    records: Mapping[str, Record] = field(default_factory=lambda: EMPTY)
    authority: Mapping[str, tuple[Interval, ...]] = field(default_factory=lambda: EMPTY)
    located: Mapping[int, Located] = field(default_factory=lambda: EMPTY)
    faulty: frozenset[int] = frozenset()
    doubtful: frozenset[int] = frozenset()
    stopped: bool = False
    group: str | None = None
    actors: Mapping[str, Acting] = field(default_factory=lambda: EMPTY)
    held: Mapping[int, Held] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to store and what to answer.

    `settled` are the new outcomes, in n order; `answers` has one entry for each item of the
    batch in its order, replays and `retry` included. `writes` are the final records, `before`
    what they were (None = new).
    """

    settled: tuple[Settled, ...]
    answers: tuple[Settled, ...]
    writes: Mapping[str, Record]
    before: Mapping[str, Record | None]
    settled_through: int
    flagged: bool
