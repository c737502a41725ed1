"""How a table says of its columns what they hold about people, why, and for how long.

Every table has a `__held__` that names each of its columns. The data catalogue is made from it,
and a column that no `__held__` names fails the tests.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from sync.fields import DataClass
from sync.holding import Holding, Purpose, Retention, Source, holding_of_field
from sync.kinds import KINDS

_COMMON: Final = (
    "fid id rev grid_id area_no archived created_ms updated_ms state epoch state_at_ms"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a table says of its columns; `kind` is the record kind that it is a projection of.

    A projection may name fields that are no columns of it.
    """

    columns: Mapping[str, Holding]
    kind: str | None = None


def held(
    plain: str,
    *purposes: Purpose,
    retention: Retention,
    p1: str = "",
    p2: str = "",
    source: Source = Source.SERVER,
) -> Held:
    """Say it of a table: `plain`, `p1` and `p2` name its columns of class P0, P1 and P2."""
    classes = {
        DataClass.P0: plain.split(),
        DataClass.P1: p1.split(),
        DataClass.P2: p2.split(),
    }
    return Held(
        columns={
            name: Holding(data_class, purposes, retention, source)
            for data_class, names in classes.items()
            for name in names
        }
    )


def projected(kind: str, **renamed: str) -> Held:
    """Say it of the projection of a kind: what the kind says of its fields.

    `renamed` are the columns that are called otherwise than the field they hold.
    """
    common = held(
        _COMMON,
        Purpose.SYNC,
        p1="state_by",
        retention=Retention.RECORD,
        source=Source.RECORD,
    ).columns
    own = {name: name for name in (*KINDS[kind].fields, *KINDS[kind].sets)} | renamed
    said = {column: holding_of_field(kind, field) for column, field in own.items()}
    copied = {
        column: replace(each, source=Source.RECORD)
        for column, each in said.items()
        if each is not None
    }
    return Held(columns={**common, **copied}, kind=kind)
