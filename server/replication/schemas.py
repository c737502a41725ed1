"""The wire of `/v1/sync` as OpenAPI shows it. `sync.wire` is what reads and writes it.

Requests are decoded by the pure core, because one unreadable mutation must become an outcome
and not fail the request; these models document the same members for people and code
generators, and a test holds the two against each other.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sync.exchange import BUCKETS_MAX

_Text40 = Annotated[str, Field(max_length=40)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AppIn(_Wire):
    """The app that speaks."""

    version: _Text40
    schema_: int = Field(
        alias="schema", description="version of the record schema that the app writes"
    )


class ClockIn(_Wire):
    """What the device's clocks showed."""

    wall: str = Field(description="RFC 3339 with offset, milliseconds")
    uptime_ms: int = Field(description="milliseconds since boot")
    boot: str = Field(description="an id that changes at every boot")


class PositionIn(_Wire):
    """A measured place in the datum it is labelled with."""

    lon_e7: int
    lat_e7: int
    datum: Literal["wgs84", "cgcs2000", "gcj02", "bd09"]
    accuracy_cm: int
    fixed_at: str | None = None


class MutationIn(_Wire):
    """One request to change one record: either `act` or a change of fields."""

    n: int = Field(ge=1, description="dense from 1 on each device")
    record: str = Field(description="UUID of the record")
    kind: _Text40
    base: int = Field(ge=0, description="the revision the author saw; 0 for a new record")
    clock: ClockIn
    set: dict[str, Any] | None = None
    add: dict[str, list[str]] | None = None
    remove: dict[str, list[str]] | None = None
    act: _Text40 | None = None
    args: dict[str, Any] | None = None
    position: PositionIn | None = None
    actor: str | None = None
    group: str | None = None
    why: str | None = None
    schema_: int | None = Field(
        default=None,
        ge=1,
        alias="schema",
        description="version of the record schema that it is written in, 1 if absent",
    )


class BucketIn(_Wire):
    """How far the device has followed one bucket."""

    id: str
    epoch: int
    seq: int
    digest: str = Field(pattern="^[0-9a-f]{16}$")


class SyncIn(_Wire):
    """One contact: what the device did since, and what it holds."""

    protocol: Literal[1]
    app: AppIn
    lease: str | None = None
    clock: ClockIn
    last_n: int = Field(ge=0, description="highest n ever allocated on the device")
    mutations: list[MutationIn] = Field(default=[], max_length=200)
    buckets: list[BucketIn] = Field(default=[], max_length=BUCKETS_MAX)
    max_bytes: int | None = None
    takes: list[_Text40] = Field(
        default=[],
        max_length=10,
        description="what the device can do instead of reading a bucket from its start:"
        " `snapshot` (fetch it as one file), `manifest` (compare what it holds); other words"
        " are passed over",
    )


class OutcomeOut(BaseModel):
    """What became of one mutation; one that is not listed was applied."""

    n: int
    outcome: str
    record: str | None = None
    rev: int | None = None
    code: str | None = None
    detail: str | None = None
    replayed: bool | None = None
    became: str | None = Field(
        default=None, description="what a person made of it: an outcome, or refused"
    )


class ItemOut(BaseModel):
    """A record as a phone may hold it; `hash` is over the canonical JSON of the rest."""

    record: str
    kind: str
    rev: int
    hash: str
    state: dict[str, Any]


class GoneOut(BaseModel):
    """A record that left the bucket."""

    record: str
    why: str
    to: str | None = None
    merged_into: str | None = Field(
        default=None, description="the record that stands for it, if it was merged"
    )


class ScopeOut(BaseModel):
    """Buckets to start and to stop holding."""

    enter: list[str]
    leave: list[str]


class OfferOut(BaseModel):
    """A snapshot to be fetched instead of pages."""

    epoch: int
    seq: int


class BucketOut(BaseModel):
    """What happened in one bucket."""

    id: str
    epoch: int
    from_: int = Field(alias="from")
    seq: int
    digest: str
    count: int
    put: list[ItemOut]
    gone: list[GoneOut]
    reset: bool
    more: bool
    snapshot: OfferOut | None = Field(
        default=None,
        description="the file to fetch instead of this page, which is not applied; only for"
        " a device that takes `snapshot` and holds nothing of the bucket",
    )


class LimitsOut(BaseModel):
    """How much one request may carry."""

    mutations: int
    bytes: int
    buckets: int


class SchemaOut(BaseModel):
    """Versions of the record schema that the server reads, both included."""

    least: int
    newest: int


class SyncOut(BaseModel):
    """The reply to one contact."""

    server_time: str
    incarnation: str
    lease: str
    settled_through: int
    outcomes: list[OutcomeOut]
    scope: ScopeOut
    buckets: list[BucketOut]
    media_wanted: list[str]
    next_sync_s: int
    limits: LimitsOut
    purge_after_s: int | None = Field(
        default=None,
        description="drop what is held, but for `config` and the queue, if no reply comes for"
        " this long; counted on the clock that people cannot set",
    )
    schema_: SchemaOut | None = Field(
        default=None,
        alias="schema",
        description="only for an app whose `schema` is not the newest: what it writes in a"
        " version outside is held",
    )


class WaitOut(BaseModel):
    """Whether something changed in the device's buckets while it waited."""

    changed: bool


class ManifestOut(BaseModel):
    """Everything in a bucket: `[record id, hash]` by id, and the head it belongs to."""

    id: str
    epoch: int
    seq: int
    digest: str
    count: int
    records: list[tuple[str, str]]


class PartsOut(BaseModel):
    """The digests of the 256 parts of a bucket, in order, and the head they belong to."""

    id: str
    epoch: int
    seq: int
    digest: str
    count: int
    parts: list[str]


class RecordsIn(_Wire):
    """Which records to send again."""

    records: list[Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]] = Field(max_length=500)


class RecordsOut(BaseModel):
    """The asked records that the device may hold."""

    records: list[ItemOut]
