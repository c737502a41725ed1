"""Complete rows of a few tables, to be changed by the test that uses them."""

from typing import Any

EMPTY_DIGEST = "0" * 16


def ident(number: int) -> str:
    """The `number`-th id; ids sort as their numbers do."""
    return f"00000000-0000-7000-8000-{number:012x}"


def bucket(name: str, **changed: Any) -> dict[str, Any]:
    """The head of an empty bucket."""
    head = {"id": name, "epoch": 1, "seq": 0, "digest": EMPTY_DIGEST, "count": 0}
    return {**head, "tombstone_floor": 0, **changed}


def mutation(n: int, **changed: Any) -> dict[str, Any]:
    """The `n`-th mutation of one device."""
    row = {"device_id": ident(1), "n": n, "record_id": ident(2), "kind": "visit", "base": 0}
    times = {"at_ms": 1, "quality": "exact", "received_ms": 2, "actor": None}
    result = {"outcome": "applied", "code": None, "field": None, "rev": 1}
    return {**row, **times, "body": b"{}", "body_hash": "x", **result, **changed}


def common(number: int) -> dict[str, Any]:
    """What every projection carries."""
    place = {"grid_id": ident(9), "area_no": 4096}
    return {"id": ident(number), "rev": 1, **place, "created_ms": 1, "updated_ms": 2}


def report(number: int, **changed: Any) -> dict[str, Any]:
    """The `number`-th report, without a place."""
    row = {"class_code": "0101", "text": "text", "channel": "worker", "incident_id": None}
    where = {"accuracy_cm": 500, "datum": "wgs84", "certain": False, "geom": None}
    who = {"reporter_id": ident(8), "observed_at_ms": 3, "media": "[]"}
    return {**common(number), **row, **who, **where, **changed}


def grid(number: int, geom: Any, **changed: Any) -> dict[str, Any]:
    """The `number`-th grid."""
    row = {"code": f"G{number}", "name": f"Grid {number}", "community_id": ident(7)}
    rest = {"area_m2": 10_000, "valid_from_ms": None, "geom": geom}
    return {**common(number), "grid_id": ident(number), **row, **rest, **changed}
