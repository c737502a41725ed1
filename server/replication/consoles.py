"""The device through which an account writes without a phone (docs/decisions, 0006)."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from server.clock import new_id
from server.replication import queries
from server.replication.queries import DbRow
from sync.push import Author


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """The account a console writes for, with its role."""

    account: str
    role: str


def console_device(db: Connection, console: Console, now_ms: int) -> DbRow:
    """The locked row of an account's console, made at its first write."""
    device_id = queries.console_of(db, console.account)
    if device_id is None:
        device_id = new_id()
        queries.add_device(db, console_row(device_id, console.account, now_ms))
    device = queries.lock_device(db, device_id)
    if device is None:
        raise LookupError("the console device vanished inside its own transaction")
    return device


def console_row(device_id: str, account: str, now_ms: int) -> dict[str, Any]:
    """A fresh console device for an account."""
    return {
        "id": device_id,
        "account_id": account,
        "console": True,
        "name": "console",
        "status": "active",
        "settled_through": 0,
        "last_n": 0,
        "last_at_ms": 0,
        "created_ms": now_ms,
    }


def console_author(device_id: str, console: Console) -> Author:
    """The author of what is written through a console."""
    return Author(
        device=device_id,
        account=console.account,
        role=console.role,
        console=True,
        home_bucket=f"user:{console.account}",
    )
