"""What people see of a record: winners, status, open conflicts (protocol sections 4 and 5).

The state is derived from the record each time and is the only thing a phone ever gets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sync.cells import Cells, Written, is_plain
from sync.kinds import KINDS
from sync.merge import RULES, Rule, contested_values, shown
from sync.record import Cell, Head, Record, Status

_RULES: Final = {
    kind.name: {name: RULES[each.policy] for name, each in kind.fields.items()}
    for kind in KINDS.values()
}
_VISIBLE: Final = {
    kind.name: {name: RULES[each.policy] for name, each in kind.fields.items() if each.phone}
    for kind in KINDS.values()
}


KEPT_FACTS: Final = {
    "visit": frozenset({"outcome", "visited_at_ms", "visitor", "archived"}),
    "claim": frozenset({"act", "by", "at_ms", "quality", "counted"}),
}
"""What of a fact stays when the people it was about are erased, beside the ids it names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldConflict:
    """An open conflict of one field.

    `values` are all heads and kept heads, earliest first; `live` is the value shown meanwhile.
    """

    field: str
    values: tuple[Head, ...]
    live: Any


def rules_of(kind: str) -> dict[str, Rule]:
    """Return the merge rule of every field of a kind, by name; raises KeyError if unknown."""
    return _RULES[kind]


def state_of(record: Record) -> dict[str, Any]:
    """Return what a phone may hold of a record.

    Fields that are cleared or not for phones are left out; sets are sorted lists of what is in
    them, left out when empty; `status`, `epoch`, `status_at_ms` and `status_by` are there for a
    record with a life cycle; `conflicts` names the contested fields in order, if there are any.
    """
    state, conflicts = _values(record)
    if record.sets:
        state |= _set_members(record.sets)
    if conflicts:
        state["conflicts"] = sorted(conflicts)
    if record.status is not None:
        state |= _status_members(record.status)
    return state


def _values(record: Record) -> tuple[dict[str, Any], list[str]]:
    """The values phones may see, and the names of the contested fields."""
    state: dict[str, Any] = {}
    conflicts: list[str] = []
    rules, fields = _VISIBLE[record.kind], record.fields
    unchanged = fields.unchanged() if type(fields) is Cells else {}
    for name in fields:
        if name not in rules:
            continue
        written = unchanged.get(name)
        if written is not None and is_plain(written):
            value = written[0]
        else:
            value = shown(fields[name], rules[name])
            if contested_values(fields[name], rules[name]):
                conflicts.append(name)
        if value is not None:
            state[name] = value
    return state, conflicts


def _plain(fields: Mapping[str, Cell], name: str) -> Written | None:
    """Return a cell as it was written if its value can be read off, None if not."""
    written = fields.unread(name) if type(fields) is Cells else None
    return written if written is not None and is_plain(written) else None


def _status_members(status: Status) -> dict[str, Any]:
    return {
        "status": status.state,
        "epoch": status.epoch,
        "status_at_ms": status.at_ms,
        "status_by": status.by,
    }


def _set_members(sets: Mapping[str, Mapping[str, Cell]]) -> dict[str, Any]:
    members = {
        name: sorted(key for key, cell in elements.items() if _is_present(cell.heads))
        for name, elements in sets.items()
    }
    return {name: present for name, present in members.items() if present}


def _is_present(heads: tuple[Head, ...]) -> bool:
    return any(head.value for head in heads)


def is_archived(record: Record) -> bool:
    """Say whether a person put a record away: it is history, and no phone holds it."""
    return "archived" in record.fields and live_value(record, "archived") is True


def merged_into(record: Record) -> str | None:
    """Return the id of the record that stands for a merged one, None for any other record."""
    return live_value(record, "merged_into") if "merged_into" in record.fields else None


def is_away(record: Record) -> bool:
    """Say whether no phone holds a record, though it is not erased: archived, or merged."""
    return is_archived(record) or merged_into(record) is not None


def is_erased(record: Record) -> bool:
    """Say whether what a record said of people was erased for good."""
    return "erased" in record.fields


def restricted_for(record: Record) -> tuple[str, ...]:
    """Return the ids of the requests for which nobody may use a record; usually none."""
    if "restricted" not in record.fields or is_erased(record):
        return ()
    return tuple((live_value(record, "restricted") or "").split())


def is_tombstone(record: Record) -> bool:
    """Say whether a record was erased as a whole: no phone, list or layer shows it again."""
    return "erased" in record.fields and record.kind not in KEPT_FACTS


def live_value(record: Record, field: str) -> Any:
    """Return the value shown of a field, None when it was never set or is cleared."""
    written = _plain(record.fields, field)
    if written is not None:
        return written[0]
    cell = record.fields.get(field)
    return None if cell is None else shown(cell, _RULES[record.kind][field])


def open_conflicts(record: Record) -> tuple[FieldConflict, ...]:
    """Return the open conflicts of a record in the order of their field names.

    A merged record has none: its values stand, and are contested, where it was merged into.
    """
    if merged_into(record) is not None:
        return ()
    rules = _RULES[record.kind]
    fields = record.fields
    fuller = fields.fuller() if type(fields) is Cells else fields
    names = [each for each in fuller if each in rules]
    contested = [each for each in names if contested_values(fields[each], rules[each])]
    return tuple(
        FieldConflict(
            field=name,
            values=tuple(
                sorted(
                    (*fields[name].heads, *fields[name].kept),
                    key=lambda each: (each.at_ms, each.device, each.n),
                )
            ),
            live=shown(fields[name], rules[name]),
        )
        for name in sorted(contested)
    )
