"""`jingwei restored`: tell a store that it was put back from a backup.

Phones were told that work is stored which a backup may not hold. They keep it for 14 days and
offer it again when the store's incarnation changes (protocol section 9, rule 9). Their leases
are newer than those in the backup, so each device may once more show any lease.
"""

from sqlalchemy import Connection

from server.clock import new_id
from server.replication.queries import begin_incarnation, forgive_leases


def begin_again(db: Connection, *, now_ms: int) -> tuple[str, int]:
    """Begin a new incarnation; return its id and how many phones may show any lease once."""
    incarnation = new_id()
    begin_incarnation(db, incarnation, now_ms)
    return incarnation, forgive_leases(db)
