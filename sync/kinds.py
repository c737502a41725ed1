"""Every kind of record: its fields with their merge policies, who may write it, where it lives.

This table is the single place a field exists. The wire check, the merge, the phone's body, the
projections' columns and the data catalogue are all read from it. What is refused by
construction (political, religious or ethnic attributes, scores or tags of people, biometrics,
tracks) is absent here, and `tests/style` fails when a field name comes near it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from sync.fields import (
    Choice,
    DataClass,
    Field,
    FieldType,
    Flag,
    Integer,
    Media,
    Policy,
    Ref,
    Text,
)

LON_E7 = Integer(-1_800_000_000, 1_800_000_000)
LAT_E7 = Integer(-900_000_000, 900_000_000)
TIME_MS = Integer(0, 253_402_300_799_999)
BOUNDARY = Text(1_000_000)
SET_ELEMENTS_MAX = 100


class Home(StrEnum):
    """Which bucket a record of a kind lives in.

    GRID: `grid:<grid id>` of its `grid` field (inherited from a parent at creation; a record
    whose place lies in no grid lives in `user:<author>`). SELF: `grid:<own id>`. CONFIG:
    `config`. AREA: `area:<area id>` of its `area` field.
    """

    GRID = "grid"
    SELF = "self"
    CONFIG = "config"
    AREA = "area"


class Writer(StrEnum):
    """Who may ask for a change: a phone, a console (API, import), or only the rules."""

    PHONE = "phone"
    CONSOLE = "console"
    RULE = "rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of record.

    `parents` are the fields that name the record whose grid a new one inherits, first found
    wins.
    `create_only` kinds are facts: they are written once and never refused for what they say.
    `acts` names the claims and decisions of its life cycle, see `sync.lifecycle`.
    """

    name: str
    home: Home
    fields: Mapping[str, Field]
    sets: Mapping[str, FieldType]
    writers: frozenset[Writer]
    parents: tuple[str, ...] = ()
    create_only: bool = False


def _kind(  # noqa: PLR0913 - a row of a table, read by column
    name: str,
    home: Home,
    writers: tuple[Writer, ...],
    fields: tuple[Field, ...],
    *,
    sets: Mapping[str, FieldType] | None = None,
    parents: tuple[str, ...] = (),
    create_only: bool = False,
) -> Kind:
    return Kind(
        name=name,
        home=home,
        fields=MappingProxyType({each.name: each for each in fields}),
        sets=MappingProxyType(dict(sets or {})),
        writers=frozenset(writers),
        parents=parents,
        create_only=create_only,
    )


_GRID = Field(name="grid", type=Ref("grid"), policy=Policy.SERVER_WINS)
_PLACE = (
    Field(name="lon_e7", type=LON_E7, derived=True),
    Field(name="lat_e7", type=LAT_E7, derived=True),
    Field(name="accuracy_cm", type=Integer(0, 100_000_000), derived=True),
    Field(name="datum", type=Choice(("wgs84", "cgcs2000", "gcj02", "bd09")), derived=True),
)
_ARCHIVED = Field(name="archived", type=Flag(), derived=True, phone=False)
_ERASED = Field(name="erased", type=Flag(), derived=True, phone=False)
_RESTRICTED = Field(name="restricted", type=Text(400), derived=True, phone=False)
"""Ids of the requests for which nobody may use a record, in order, with spaces between."""
_MERGED_INTO = Field(name="merged_into", type=Ref("record"), derived=True, phone=False)
_BOTH = (Writer.PHONE, Writer.CONSOLE)

GRID = _kind(
    "grid",
    Home.SELF,
    (Writer.CONSOLE,),
    (
        Field(name="code", type=Text(40), required=True),
        Field(name="name", type=Text(100), required=True),
        Field(name="community", type=Ref("area"), required=True),
        Field(name="boundary", type=BOUNDARY, required=True),
        Field(name="area_m2", type=Integer(0), required=True),
        Field(name="valid_from_ms", type=TIME_MS),
        Field(name="valid_to_ms", type=TIME_MS),
    ),
)
CLASS = _kind(
    "class",
    Home.CONFIG,
    (Writer.CONSOLE,),
    (
        Field(name="code", type=Text(40), required=True),
        Field(name="name", type=Text(100), required=True),
        Field(name="name_zh", type=Text(100)),
        Field(name="major", type=Text(100)),
        Field(name="limit_hours", type=Integer(1, 10_000)),
        Field(name="duplicate_radius_m", type=Integer(0, 10_000)),
        Field(name="photo_rule", type=Choice(("none", "before", "after", "both"))),
        Field(name="active", type=Flag()),
    ),
)
ANNOUNCEMENT = _kind(
    "announcement",
    Home.AREA,
    (Writer.CONSOLE,),
    (
        Field(name="area", type=Ref("area"), required=True, immutable=True),
        Field(name="title", type=Text(120), required=True),
        Field(name="text", type=Text(4_000), required=True),
        Field(name="valid_until_ms", type=TIME_MS, required=True),
        _ARCHIVED,
    ),
)
DWELLING = _kind(
    "dwelling",
    Home.GRID,
    (Writer.CONSOLE,),
    (
        Field(name="code", type=Text(40), required=True),
        Field(name="address", type=Text(200), required=True),
        Field(name="lon_e7", type=LON_E7, required=True),
        Field(name="lat_e7", type=LAT_E7, required=True),
        Field(name="grid", type=Ref("grid"), required=True),
        _ARCHIVED,
        _MERGED_INTO,
    ),
)
HOUSEHOLD = _kind(
    "household",
    Home.GRID,
    _BOTH,
    (
        Field(name="dwelling", type=Ref("dwelling"), required=True, immutable=True),
        _GRID,
        Field(name="door", type=Text(40), data_class=DataClass.P1),
        Field(name="contact_phone", type=Text(40), data_class=DataClass.P1),
        Field(name="size_band", type=Choice(("1", "2", "3-4", "5+")), data_class=DataClass.P1),
        Field(
            name="status",
            type=Choice(("active", "moved_out", "vacant", "unknown")),
            policy=Policy.REVIEW,
            data_class=DataClass.P1,
        ),
        Field(
            name="visit_preference",
            type=Choice(("any", "phone_first", "no_visit")),
            data_class=DataClass.P1,
        ),
        Field(
            name="last_verified_ms",
            type=TIME_MS,
            policy=Policy.MAX,
            data_class=DataClass.P1,
            derived=True,
        ),
        _ARCHIVED,
        _MERGED_INTO,
        _ERASED,
        _RESTRICTED,
    ),
    sets={"languages": Text(20)},
    parents=("dwelling",),
)
RESIDENT = _kind(
    "resident",
    Home.GRID,
    _BOTH,
    (
        Field(name="household", type=Ref("household"), required=True, immutable=True),
        _GRID,
        Field(name="name", type=Text(100), required=True, data_class=DataClass.P1),
        Field(name="birth_year", type=Integer(1900, 2200), data_class=DataClass.P1),
        Field(name="phone", type=Text(40), data_class=DataClass.P1),
        Field(
            name="status",
            type=Choice(("active", "moved_out", "deceased")),
            policy=Policy.REVIEW,
            data_class=DataClass.P1,
        ),
        _ARCHIVED,
        _MERGED_INTO,
        _ERASED,
        _RESTRICTED,
    ),
    parents=("household",),
)
REPORT = _kind(
    "report",
    Home.GRID,
    _BOTH,
    (
        Field(name="class", type=Text(40), required=True),
        Field(name="text", type=Text(2_000), data_class=DataClass.P1),
        Field(
            name="channel", type=Choice(("worker", "hotline", "public", "sensor", "open311"))
        ),
        Field(name="incident", type=Ref("incident")),
        _GRID,
        *_PLACE,
        Field(name="observed_at_ms", type=TIME_MS, derived=True),
        Field(name="reporter", type=Ref("user"), derived=True, data_class=DataClass.P1),
        Field(name="certain", type=Flag(), derived=True),
        _ARCHIVED,
    ),
    sets={"media": Media()},
    create_only=True,
)
INCIDENT = _kind(
    "incident",
    Home.GRID,
    (Writer.CONSOLE,),
    (
        Field(name="class", type=Text(40), required=True),
        Field(name="summary", type=Text(2_000), data_class=DataClass.P1),
        Field(name="priority", type=Choice(("normal", "high", "emergency"))),
        Field(name="address", type=Text(200)),
        _GRID,
        *_PLACE,
        Field(name="case_no", type=Text(40), derived=True),
        Field(name="task", type=Ref("task"), derived=True),
        Field(name="due_at_ms", type=TIME_MS, policy=Policy.SERVER_WINS),
        Field(name="observed_at_ms", type=TIME_MS, derived=True),
        Field(name="rework", type=Integer(0, 1_000), derived=True),
        _ARCHIVED,
        _MERGED_INTO,
    ),
)
TASK = _kind(
    "task",
    Home.GRID,
    (Writer.CONSOLE, Writer.PHONE),
    (
        Field(name="incident", type=Ref("incident"), derived=True),
        _GRID,
        Field(name="title", type=Text(200), derived=True, data_class=DataClass.P1),
        Field(
            name="instruction",
            type=Text(2_000),
            policy=Policy.SERVER_WINS,
            derived=True,
            data_class=DataClass.P1,
        ),
        Field(
            name="assignee",
            type=Ref("user"),
            policy=Policy.SERVER_WINS,
            derived=True,
            data_class=DataClass.P1,
        ),
        Field(name="due_at_ms", type=TIME_MS, policy=Policy.SERVER_WINS, derived=True),
        *_PLACE[:2],
        Field(name="result", type=Text(2_000), derived=True, data_class=DataClass.P1),
        _ARCHIVED,
    ),
    parents=("incident",),
)
VISIT = _kind(
    "visit",
    Home.GRID,
    _BOTH,
    (
        Field(name="household", type=Ref("household"), required=True, data_class=DataClass.P1),
        _GRID,
        Field(
            name="outcome",
            type=Choice(("done", "not_home", "refused", "moved", "cancelled")),
            required=True,
            data_class=DataClass.P1,
        ),
        Field(name="text", type=Text(2_000), data_class=DataClass.P1),
        Field(name="visited_at_ms", type=TIME_MS, derived=True, data_class=DataClass.P1),
        Field(name="visitor", type=Ref("user"), derived=True, data_class=DataClass.P1),
        _ARCHIVED,
        _ERASED,
        _RESTRICTED,
    ),
    parents=("household",),
    create_only=True,
)
NOTE = _kind(
    "note",
    Home.GRID,
    _BOTH,
    (
        Field(name="parent", type=Ref("record"), required=True),
        _GRID,
        Field(name="text", type=Text(2_000), required=True, data_class=DataClass.P1),
        Field(name="author", type=Ref("user"), derived=True, data_class=DataClass.P1),
        Field(name="written_at_ms", type=TIME_MS, derived=True),
        _ARCHIVED,
        _ERASED,
        _RESTRICTED,
    ),
    parents=("parent",),
    create_only=True,
)
CLAIM = _kind(
    "claim",
    Home.GRID,
    (Writer.RULE,),
    (
        Field(name="parent", type=Ref("record"), derived=True),
        _GRID,
        Field(name="act", type=Text(40), derived=True),
        Field(name="by", type=Ref("user"), derived=True, data_class=DataClass.P1),
        Field(name="at_ms", type=TIME_MS, derived=True),
        Field(name="quality", type=Choice(("exact", "estimated", "clamped")), derived=True),
        Field(name="result", type=Text(2_000), derived=True, data_class=DataClass.P1),
        Field(name="counted", type=Flag(), derived=True),
        Field(name="moved_from", type=Ref("record"), derived=True),
        Field(name="moved_ms", type=TIME_MS, derived=True),
        *_PLACE,
        _ERASED,
    ),
    sets={"media": Media()},
    parents=("parent",),
    create_only=True,
)

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        each.name: each
        for each in (
            GRID,
            CLASS,
            ANNOUNCEMENT,
            DWELLING,
            HOUSEHOLD,
            RESIDENT,
            REPORT,
            INCIDENT,
            TASK,
            VISIT,
            NOTE,
            CLAIM,
        )
    }
)
