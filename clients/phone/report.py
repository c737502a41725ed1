"""What one call of `Phone.sync` did, in numbers and outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from clients.phone.transport import Answer
from sync.exchange import Offer, WireOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a sync ended early. `status` is None when no reply arrived.

    `slug` is the last part of the problem type the server named, `waiting` when the server had
    asked for a pause that is not over, else `no-reply` or `unreadable-reply`.
    """

    slug: str
    status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """The result of one sync.

    `bytes_up` and `bytes_down` are whole HTTP/1.1 messages (line, headers and compressed body)
    without the transport below; for replies cut short, what arrived. `outcomes` are those that
    became final in this sync, by n. `wait_s` is how long the phone should wait before the next.
    `diverged` are buckets that no repair helps: a defect to be reported, not a reason to loop.
    `outdated` says that the server knows a newer version of the records than this app.
    """

    bytes_up: int = 0
    bytes_down: int = 0
    round_trips: int = 0
    outcomes: Mapping[int, WireOutcome] = field(default_factory=dict)
    put: int = 0
    gone: int = 0
    wait_s: int = 0
    up_to_date: bool = False
    identity_doubtful: bool = False
    diverged: tuple[str, ...] = ()
    outdated: bool = False
    failure: Failure | None = None


@dataclass(slots=True, kw_only=True)
class Tally:
    """What a sync has done so far.

    `unchecked` are buckets this sync has not followed to their end yet. Those whose bytes
    differ are `to_compare`, then `compared`, then `fetched_again` from their start, at last
    `diverged`. `offers` are snapshots to fetch, `pages_only` says that one could not be used.
    `renewed` is whether the last reply came from a new incarnation, `progress` whether the last
    round changed anything, `now_ms` the server's time in it.
    """

    unchecked: set[str]
    to_compare: set[str] = field(default_factory=set)
    compared: set[str] = field(default_factory=set)
    fetched_again: set[str] = field(default_factory=set)
    diverged: set[str] = field(default_factory=set)
    offers: dict[str, Offer] = field(default_factory=dict)
    pages_only: bool = False
    now_ms: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    round_trips: int = 0
    outcomes: dict[int, WireOutcome] = field(default_factory=dict)
    put: int = 0
    gone: int = 0
    progress: bool = False
    renewed: bool = False
    identity_doubtful: bool = False
    outdated: bool = False

    def count(self, answer: Answer) -> None:
        """Add one exchange."""
        self.round_trips += 1
        self.bytes_up += answer.bytes_up
        self.bytes_down += answer.bytes_down

    def report(self, *, failure: Failure | None, wait_s: int, up_to_date: bool) -> SyncReport:
        """Return the report of the whole sync."""
        return SyncReport(
            bytes_up=self.bytes_up,
            bytes_down=self.bytes_down,
            round_trips=self.round_trips,
            outcomes=dict(self.outcomes),
            put=self.put,
            gone=self.gone,
            wait_s=wait_s,
            up_to_date=up_to_date,
            identity_doubtful=self.identity_doubtful,
            diverged=tuple(sorted(self.diverged)),
            outdated=self.outdated,
            failure=failure,
        )
