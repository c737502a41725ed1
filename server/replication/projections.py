"""Typed tables derived from records: consoles, layers and counts read these, phones never do.

Each function turns the visible state of one record into the columns of its table. The tables
are written in the transaction that writes the record; `jingwei doctor` derives them again
and compares.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import shapely

from geo.boundary import decode_boundary
from server.db import tables
from sync.kinds import KINDS
from sync.record import Record
from sync.restricting import hidden_state, written_for
from sync.searching import end_key, phone_key, search_key
from sync.state import is_away, restricted_for

State = Mapping[str, Any]
_E7 = 10**7


def point(state: State) -> shapely.Point | None:
    """The place of a record in WGS 84, or None."""
    if "lon_e7" not in state or "lat_e7" not in state:
        return None
    return shapely.Point(state["lon_e7"] / _E7, state["lat_e7"] / _E7)


def _columns(*names: str) -> Callable[[State], dict[str, Any]]:
    def pick(state: State) -> dict[str, Any]:
        return {name: state.get(name) for name in names}

    return pick


def _grid(state: State) -> dict[str, Any]:
    return {
        "code": state["code"],
        "name": state["name"],
        "community_id": state["community"],
        "area_m2": state["area_m2"],
        "valid_from_ms": state.get("valid_from_ms"),
        "valid_to_ms": state.get("valid_to_ms"),
        "geom": decode_boundary(state["boundary"]),
    }


def _announcement(state: State) -> dict[str, Any]:
    row = _columns("title", "text", "valid_until_ms")(state)
    row["area_id"] = state["area"]
    return row


def _dwelling(state: State) -> dict[str, Any]:
    address = state["address"]
    return {
        "code": state["code"],
        "address": address,
        "address_key": search_key(address),
        "address_end_key": end_key(address),
        "geom": point(state),
    }


def _household(state: State) -> dict[str, Any]:
    row = _columns(
        "door", "contact_phone", "size_band", "status", "visit_preference", "last_verified_ms"
    )(state)
    row["dwelling_id"] = state["dwelling"]
    row["door_key"] = search_key(state.get("door"))
    row["phone_key"] = phone_key(state.get("contact_phone"))
    row["languages"] = json.dumps(state.get("languages", []), ensure_ascii=False)
    return row


def _resident(state: State) -> dict[str, Any]:
    row = _columns("name", "birth_year", "phone", "status")(state)
    row["name_key"] = search_key(state["name"])
    row["phone_key"] = phone_key(state.get("phone"))
    row["household_id"] = state["household"]
    return row


def _report(state: State) -> dict[str, Any]:
    row = _columns("text", "channel", "observed_at_ms", "accuracy_cm", "datum", "certain")(
        state
    )
    row["class_code"] = state["class"]
    row["incident_id"] = state.get("incident")
    row["reporter_id"] = state.get("reporter")
    row["media"] = json.dumps(state.get("media", []))
    row["geom"] = point(state)
    return row


def _life(state: State) -> dict[str, Any]:
    return {
        "state": state["status"],
        "epoch": state["epoch"],
        "state_at_ms": state["status_at_ms"],
    }


def _incident(state: State) -> dict[str, Any]:
    row = _columns(
        "summary", "priority", "address", "case_no", "due_at_ms", "observed_at_ms", "rework"
    )(state)
    row["class_code"] = state["class"]
    row["task_id"] = state.get("task")
    row["geom"] = point(state)
    return row | _life(state)


def _task(state: State) -> dict[str, Any]:
    row = _columns("title", "instruction", "due_at_ms", "result")(state)
    row["incident_id"] = state.get("incident")
    row["assignee_id"] = state.get("assignee")
    row["state_by"] = state["status_by"]
    row["geom"] = point(state)
    return row | _life(state)


def _visit(state: State) -> dict[str, Any]:
    row = _columns("outcome", "text", "visited_at_ms")(state)
    row["household_id"] = state["household"]
    row["visitor_id"] = state.get("visitor")
    return row


def _note(state: State) -> dict[str, Any]:
    return {
        "parent_id": state["parent"],
        "text": state["text"],
        "author_id": state.get("author"),
        "written_at_ms": state.get("written_at_ms"),
    }


def _claim(state: State) -> dict[str, Any]:
    row = _columns("act", "at_ms", "quality", "result", "counted", "moved_ms")(state)
    row["moved_from_id"] = state.get("moved_from")
    row["parent_id"] = state["parent"]
    row["by_id"] = state.get("by")
    row["geom"] = point(state)
    return row


PROJECTIONS: Mapping[str, tuple[Any, Callable[[State], dict[str, Any]]]] = {
    "grid": (tables.Grid.__table__, _grid),
    "class": (
        tables.EventClass.__table__,
        _columns(
            "code",
            "name",
            "name_zh",
            "major",
            "limit_hours",
            "duplicate_radius_m",
            "photo_rule",
            "active",
        ),
    ),
    "announcement": (tables.Announcement.__table__, _announcement),
    "dwelling": (tables.Dwelling.__table__, _dwelling),
    "household": (tables.Household.__table__, _household),
    "resident": (tables.Resident.__table__, _resident),
    "report": (tables.Report.__table__, _report),
    "incident": (tables.Incident.__table__, _incident),
    "task": (tables.Task.__table__, _task),
    "visit": (tables.Visit.__table__, _visit),
    "note": (tables.Note.__table__, _note),
    "claim": (tables.Claim.__table__, _claim),
}

RESTRICTED = frozenset(name for name, kind in KINDS.items() if "restricted" in kind.fields)


def project(kind: str, state: State) -> dict[str, Any]:
    """The kind's own columns for a record in `state`; the common columns are the caller's."""
    return PROJECTIONS[kind][1](state)


def projection_row(record: Record, state: State, *, area_no: int) -> dict[str, Any]:
    """The typed row that follows from a record in `state`, all columns but its two times.

    Of a restricted record it holds ids and bare facts, whatever reads it. The write path and
    the comparison of the store with itself both take it from here.
    """
    requests = restricted_for(record)
    if requests:
        state = hidden_state(record, state)
    row = {
        "id": record.id,
        "rev": record.rev,
        "grid_id": record.id if record.kind == "grid" else state.get("grid"),
        "area_no": area_no,
        "archived": is_away(record) or bool(requests),
        **project(record.kind, state),
    }
    if record.kind in RESTRICTED:
        row["restricted"] = written_for(requests)
    return row
