"""A mutation: one request to change one record, made by a phone or a console.

Identity is `(device, n)`; `n` is dense from 1 on each device (protocol section 1). Numbers are
integers within +-2**53, times are milliseconds since 1970-01-01 UTC, places are degrees times
10**7 in the datum they are labelled with. There are no floats in a mutation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from sync.outcome import Code

EMPTY: Mapping[Any, Any] = MappingProxyType({})
SCHEMA_FIRST: Final = 1
SCHEMA: Final = 1
"""The version of the record schema that this code writes, see `sync.versions`."""


class Datum(StrEnum):
    """The geodetic datum a measured position is labelled with."""

    WGS84 = "wgs84"
    CGCS2000 = "cgcs2000"
    GCJ02 = "gcj02"
    BD09 = "bd09"


class Quality(StrEnum):
    """How far a corrected time can be trusted (protocol section 4, "Time")."""

    EXACT = "exact"
    ESTIMATED = "estimated"
    CLAMPED = "clamped"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """What a device's clocks showed: wall time, milliseconds since boot, and the boot's id."""

    wall_ms: int
    uptime_ms: int
    boot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A measured place as the phone labelled it; the server converts the datum."""

    lon_e7: int
    lat_e7: int
    datum: Datum
    accuracy_cm: int
    fixed_at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One request to change one record.

    Either `act` (with `args`) or a change of fields (`set`, and `add`/`remove` for set fields),
    never both. `base` is the record revision its author was looking at, 0 for a new record.
    `actor` names the worker when it was not the device's signed-in one. `body` is the canonical
    JSON of the mutation as received: it is stored for ever and its hash detects a reused `n`.
    `clock` is None only for consoles, whose time is the server's. Neighbouring mutations with
    the same `group` are decided together, see `sync.groups`. `why` is the author's reason, for
    the history only. `schema` is the version of the
    record schema that the members are in; `skew` says why that version cannot be read here.
    """

    n: int
    record: str
    kind: str
    base: int
    body: bytes
    clock: ClockReading | None = None
    set: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    add: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: EMPTY)
    remove: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: EMPTY)
    act: str | None = None
    args: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    position: Position | None = None
    actor: str | None = None
    group: str | None = None
    why: str | None = None
    schema: int = SCHEMA
    skew: Code | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Malformed:
    """A mutation that cannot be read as one, although its `n` can.

    It takes its place in the device's sequence and becomes `invalid` with `code`; `field` names
    the member at fault (never its value). `record`, `kind` and `group` are kept when they are
    readable. `body` is what was received, as deterministic JSON.
    """

    n: int
    body: bytes
    record: str | None = None
    kind: str | None = None
    field: str | None = None
    code: Code = Code.MALFORMED
    group: str | None = None
