"""Short ways to declare a column, so that a table reads as a list of names and meanings.

SQLModel would make every `int` a 32-bit INTEGER and every `str` a VARCHAR; times, counters and
sequences need 64 bits and text needs no length here (limits are checked at the gate).
"""

from typing import Any, ClassVar, Final

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Identity,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlmodel import Field, SQLModel

from server.db.tables.held import Held
from server.db.types import BIG, KEY_TEXT, Geometry4326, GeometryKind, Id

NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class StoredRow(SQLModel):
    """A row of any table. Rows validate nothing: schemas stand in front, CHECKs behind."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMING)
    __table__: ClassVar[Table]
    __held__: ClassVar[Held]


def ident(*, null: bool = False, key: bool = False) -> Any:
    """Declare an id: canonical UUID text."""
    return _field(Id, null=null, key=key)


def string(*, null: bool = False, key: bool = False) -> Any:
    """Declare text without a length."""
    return _field(Text, null=null, key=key)


def search(*, null: bool = True) -> Any:
    """Declare a search key (`sync.searching`); NULL where there is nothing to look for."""
    return _field(KEY_TEXT, null=null)


def big(*, null: bool = False, key: bool = False) -> Any:
    """Declare a 64-bit integer: a time in milliseconds, a counter, a sequence."""
    return _field(BIG, null=null, key=key)


def flag(*, null: bool = False) -> Any:
    """Declare true or false."""
    return _field(Boolean, null=null)


def octets(*, null: bool = False) -> Any:
    """Declare bytes."""
    return _field(LargeBinary, null=null)


def row_number(name: str = "fid") -> Any:
    """Declare an integer key that the database gives out and that only grows.

    `fid` is the one every feature table of a GeoPackage must have.
    """
    return Field(default=None, sa_column=Column(name, BIG, Identity(), primary_key=True))


def shape(kind: GeometryKind, *, null: bool = False) -> Any:
    """Declare `geom`: WGS84 degrees of one kind of geometry."""
    return Field(default=None, sa_column=Column("geom", Geometry4326(kind), nullable=null))


def check(name: str, rule: str) -> CheckConstraint:
    """Name an invariant: the constraint is called `ck_<table>_<name>`."""
    return CheckConstraint(rule, name=name)


def one_of(column: str, *words: str) -> CheckConstraint:
    """Say that a column holds one of a closed list of words (or NULL where it may)."""
    listed = ", ".join(f"'{word}'" for word in words)
    return check(column, f"{column} IN ({listed})")


def _field(kind: Any, *, null: bool, key: bool = False) -> Any:
    return Field(
        default=None,
        sa_type=kind,
        nullable=null,
        primary_key=key,
        sa_column_kwargs={"autoincrement": False} if key else {},
    )
