"""Why something is held, for how long, and where it comes from: said of every field and column.

`sync.kinds` gives each field its data class; here each kind says the rest, and
`holding_of_field` puts both together. The tables say the same of their columns
(`server.db.holdings`), and the data catalogue shows all of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from sync.fields import DataClass, Field
from sync.kinds import KINDS


class Purpose(StrEnum):
    """What something is used for. It is used for nothing else."""

    ACCESS = "access"
    ACCOUNTABILITY = "accountability"
    BOUNDARIES = "boundaries"
    CASEWORK = "casework"
    ERASURE = "erasure"
    NOTICE = "notice"
    REGISTRY = "registry"
    RIGHTS = "rights"
    SERVICE = "service"
    SYNC = "sync"
    VISITS = "visits"


PURPOSES: Final[Mapping[Purpose, str]] = MappingProxyType(
    {
        Purpose.ACCESS: "who may sign in, from which phone, and see which area",
        Purpose.ACCOUNTABILITY: "who did or decided what, so that nobody's work disappears",
        Purpose.BOUNDARIES: "which place belongs to which grid and community",
        Purpose.CASEWORK: "solve a problem that somebody reported",
        Purpose.ERASURE: "keep what was erased gone, also after a restore",
        Purpose.NOTICE: "tell everybody in an area something",
        Purpose.REGISTRY: "know who lives where, so that services reach them",
        Purpose.RIGHTS: "answer what people ask about their own data",
        Purpose.SERVICE: "plan how much of a service a place needs",
        Purpose.SYNC: "let phones work for days without the server",
        Purpose.VISITS: "visit a household, or call before, in the way it prefers",
    }
)


class Retention(StrEnum):
    """For how long something is held."""

    ACCOUNT = "account"
    EXPIRY = "expiry"
    LOG = "log"
    MAINTAINED = "maintained"
    PROOF = "proof"
    RECORD = "record"
    REPLACED = "replaced"
    SETTLED = "settled"
    STORE = "store"
    TOMBSTONE = "tombstone"
    UPLOAD = "upload"


RETENTIONS: Final[Mapping[Retention, str]] = MappingProxyType(
    {
        Retention.ACCOUNT: "as long as the account, and as its deeds are attributed to it",
        Retention.EXPIRY: "until the time it was given; `jingwei maintain` destroys it",
        Retention.LOG: "as long as the log; content goes when the record is erased",
        Retention.MAINTAINED: "dropped by `jingwei maintain` after days, at once by an erasure",
        Retention.PROOF: "for days after it was settled; `jingwei maintain` drops it then",
        Retention.RECORD: "as long as the record; content goes when it is erased",
        Retention.REPLACED: "until the next value replaces it",
        Retention.SETTLED: "kept after it is settled; content goes when the record is erased",
        Retention.STORE: "as long as the store",
        Retention.TOMBSTONE: "as long as backups may bring it back; it names nobody",
        Retention.UPLOAD: "until it is finished or abandoned",
    }
)


class Source(StrEnum):
    """Where the true value comes from; elsewhere is a copy."""

    AUTHOR = "author"
    OFFICE = "office"
    PHONE = "phone"
    RECORD = "record"
    RULES = "rules"
    SERVER = "server"


SOURCES: Final[Mapping[Source, str]] = MappingProxyType(
    {
        Source.AUTHOR: "who wrote it, on a phone or at a desk; the mutation log holds it",
        Source.OFFICE: "the office: command line, console or file import",
        Source.PHONE: "what the phone said of itself",
        Source.RECORD: "the record; this is a copy that can be derived again",
        Source.RULES: "derived by the rules of the protocol from what was written",
        Source.SERVER: "given out or noted by the server",
    }
)


@dataclass(frozen=True, slots=True)
class Holding:
    """All that is said of one field or column."""

    data_class: DataClass
    purposes: tuple[Purpose, ...]
    retention: Retention
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class KindHolding:
    """What a kind says of its fields.

    `plain` names every field of class P0: a field is not taken for harmless because somebody
    forgot to think of it. `own` are the purposes of fields that differ from the kind's, `sets`
    the data classes of its sets.
    """

    purposes: tuple[Purpose, ...]
    plain: frozenset[str]
    source: Source
    own: Mapping[str, tuple[Purpose, ...]]
    sets: Mapping[str, DataClass]


def _holding(
    plain: str,
    *purposes: Purpose,
    source: Source = Source.AUTHOR,
    own: Mapping[str, tuple[Purpose, ...]] | None = None,
    sets: Mapping[str, DataClass] | None = None,
) -> KindHolding:
    return KindHolding(
        purposes=purposes,
        plain=frozenset(plain.split()),
        source=source,
        own=MappingProxyType(dict(own or {})),
        sets=MappingProxyType(dict(sets or {})),
    )


_PHOTOS: Final = {"media": DataClass.P1}
_VISIT: Final = (Purpose.VISITS,)
_DEED: Final = (Purpose.ACCOUNTABILITY,)
_PLACE: Final = "grid lon_e7 lat_e7 accuracy_cm datum archived"

KIND_HOLDINGS: Final[Mapping[str, KindHolding]] = MappingProxyType(
    {
        "grid": _holding(
            "code name community boundary area_m2 valid_from_ms valid_to_ms",
            Purpose.BOUNDARIES,
            source=Source.OFFICE,
        ),
        "class": _holding(
            "code name name_zh major limit_hours duplicate_radius_m photo_rule active",
            Purpose.CASEWORK,
            source=Source.OFFICE,
        ),
        "announcement": _holding(
            "area title text valid_until_ms archived", Purpose.NOTICE, source=Source.OFFICE
        ),
        "dwelling": _holding(
            "code address lon_e7 lat_e7 grid archived merged_into",
            Purpose.REGISTRY,
            Purpose.VISITS,
            source=Source.OFFICE,
        ),
        "household": _holding(
            "dwelling grid archived erased restricted merged_into",
            Purpose.REGISTRY,
            own={
                "door": _VISIT,
                "contact_phone": _VISIT,
                "size_band": (Purpose.SERVICE,),
                "visit_preference": _VISIT,
                "languages": _VISIT,
                "last_verified_ms": (Purpose.REGISTRY, Purpose.VISITS),
            },
            sets={"languages": DataClass.P1},
        ),
        "resident": _holding(
            "household grid archived erased restricted merged_into",
            Purpose.REGISTRY,
            own={
                "name": (Purpose.REGISTRY, Purpose.VISITS),
                "phone": _VISIT,
                "birth_year": (Purpose.SERVICE,),
            },
        ),
        "report": _holding(
            f"class channel incident observed_at_ms certain {_PLACE}",
            Purpose.CASEWORK,
            own={"reporter": _DEED},
            sets=_PHOTOS,
        ),
        "incident": _holding(
            f"class priority address case_no task due_at_ms observed_at_ms rework "
            f"merged_into {_PLACE}",
            Purpose.CASEWORK,
        ),
        "task": _holding(
            "incident grid due_at_ms lon_e7 lat_e7 archived",
            Purpose.CASEWORK,
            own={"assignee": (Purpose.CASEWORK, Purpose.ACCOUNTABILITY)},
        ),
        "visit": _holding(
            "grid archived erased restricted", Purpose.VISITS, own={"visitor": _DEED}
        ),
        "note": _holding(
            "parent grid written_at_ms archived erased restricted",
            Purpose.CASEWORK,
            Purpose.VISITS,
            own={"author": _DEED},
        ),
        "claim": _holding(
            "parent grid act at_ms quality counted moved_from moved_ms lon_e7 lat_e7 "
            "accuracy_cm datum erased",
            Purpose.ACCOUNTABILITY,
            source=Source.RULES,
            sets=_PHOTOS,
        ),
    }
)


def class_said(field: Field, plain: frozenset[str]) -> DataClass | None:
    """Return a field's class, or None for one that is P0 only because nobody said otherwise."""
    unsaid = field.data_class is DataClass.P0 and field.name not in plain
    return None if unsaid else field.data_class


def holding_of_field(kind: str, name: str) -> Holding | None:
    """Return what is said of a field or set of a kind, or None where something is not said.

    Raises:
        KeyError: if there is no such kind.
    """
    declared = KINDS[kind].fields.get(name)
    said = KIND_HOLDINGS[kind]
    data_class = said.sets.get(name) if declared is None else class_said(declared, said.plain)
    if data_class is None:
        return None
    derived = declared is not None and declared.derived
    return Holding(
        data_class=data_class,
        purposes=said.own.get(name, said.purposes),
        retention=Retention.RECORD,
        source=Source.RULES if derived else said.source,
    )


def named_fields() -> Iterator[tuple[str, str]]:
    """Yield the kind and the name of every field and set there is, kind by kind."""
    for kind in KINDS.values():
        for name in (*kind.fields, *kind.sets):
            yield kind.name, name
