"""A grid worker's phone: a replica in SQLite that follows the client contract (section 9).

`Phone` is the whole of it for a caller; `store` is what it keeps, `transport` how it speaks,
`pacing` when it may speak again, `faults` the bad networks it is tested on.
"""

from clients.phone.clock import Chance, PhoneClock, SteppedClock
from clients.phone.phone import Phone
from clients.phone.report import Failure, SyncReport

__all__ = ["Chance", "Failure", "Phone", "PhoneClock", "SteppedClock", "SyncReport"]
