"""What can be said about a mutation without knowing any record: is it well-formed and allowed?

Whatever is found here is final (`invalid`): sending the same mutation again cannot help.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync.fields import Integer, is_id, is_name
from sync.kinds import KINDS, LAT_E7, LON_E7, Kind, Writer
from sync.lifecycle import Act, Listed, acts_of
from sync.mutation import Datum, Mutation, Position
from sync.outcome import Code

_ACCURACY_CM = Integer(0, 100_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a mutation is invalid, and the member or field it is about."""

    code: Code
    field: str


def check(mutation: Mutation, *, console: bool) -> Fault | None:
    """Return what is wrong with a mutation by itself, or None."""
    kind = KINDS.get(mutation.kind)
    if kind is None:
        return Fault(code=Code.UNKNOWN_KIND, field="kind")
    fault = _check_envelope(mutation)
    if fault is not None:
        return fault
    if mutation.act is not None:
        return _check_act(mutation, mutation.act, kind, console=console)
    if (Writer.CONSOLE if console else Writer.PHONE) not in kind.writers:
        return Fault(code=Code.READ_ONLY_KIND, field="kind")
    return _check_values(mutation.set, kind) or _check_elements(mutation, kind)


def _unknown(name: str, member: str) -> Fault:
    """The fault of a name nobody declared; one no field could have may be anybody's data."""
    return Fault(code=Code.UNKNOWN_FIELD, field=name if is_name(name) else member)


def _check_envelope(mutation: Mutation) -> Fault | None:
    if not is_id(mutation.record):
        return Fault(code=Code.MALFORMED, field="record")
    if type(mutation.base) is not int or mutation.base < 0:
        return Fault(code=Code.MALFORMED, field="base")
    if mutation.position is not None and not _is_place(mutation.position):
        return Fault(code=Code.BAD_VALUE, field="position")
    return None


def _is_place(position: Position) -> bool:
    return (
        LON_E7.fault(position.lon_e7) is None
        and LAT_E7.fault(position.lat_e7) is None
        and _ACCURACY_CM.fault(position.accuracy_cm) is None
        and isinstance(position.datum, Datum)
    )


def _check_act(mutation: Mutation, name: str, kind: Kind, *, console: bool) -> Fault | None:
    if mutation.set or mutation.add or mutation.remove:
        return Fault(code=Code.MALFORMED, field="act")
    act = acts_of(kind.name).get(name)
    if act is None:
        return Fault(code=Code.UNKNOWN_ACT, field="act")
    if act.claims is None and not console:
        return Fault(code=Code.NOT_ALLOWED, field="act")
    return _check_args(mutation.args, act)


def _check_args(args: Mapping[str, Any], act: Act) -> Fault | None:
    for name, value in args.items():
        accepted = act.args.get(name)
        if accepted is None:
            return _unknown(name, "args")
        if value is not None and accepted.fault(value) is not None:
            return Fault(code=Code.BAD_VALUE, field=name)
    for name in sorted(act.required):
        if args.get(name) is None and not (name in act.nullable and name in args):
            return Fault(code=Code.MISSING_FIELD, field=name)
    return None


def _check_values(values: Mapping[str, Any], kind: Kind) -> Fault | None:
    fields = kind.fields
    for name, value in values.items():
        field = fields.get(name)
        if field is None or field.derived:
            return _unknown(name, "set")
        if value is None:
            if field.required:
                return Fault(code=Code.BAD_VALUE, field=name)
        elif field.type.fault(value) is not None:
            return Fault(code=Code.BAD_VALUE, field=name)
    return None


def _check_elements(mutation: Mutation, kind: Kind) -> Fault | None:
    for member, elements in (("add", mutation.add), ("remove", mutation.remove)):
        for name, values in elements.items():
            accepted = kind.sets.get(name)
            if accepted is None:
                return _unknown(name, member)
            if Listed(accepted).fault(values) is not None:
                return Fault(code=Code.BAD_VALUE, field=name)
    for name, values in mutation.add.items():
        if not set(values).isdisjoint(mutation.remove.get(name, ())):
            return Fault(code=Code.BAD_VALUE, field=name)
    return None
