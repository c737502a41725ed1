"""What is held for a period only, and the job that ends it."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from server.privacy.catalogue import Entry
from sync.holding import Retention

ENDING: Final = frozenset(
    {Retention.MAINTAINED, Retention.EXPIRY, Retention.PROOF, Retention.UPLOAD}
)
"""Words of the data catalogue that promise an end without anybody asking for it."""
COLLECTED: Final = "jingwei media collect"
_READS: Final = "reads of personal data long ago"
_NUMBERS: Final = "identity numbers that expired"
_REQUESTS: Final = "requests of people closed long ago"
JOBS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "access_entry": _READS,
        "access_record": _READS,
        "break_glass": "broken glass reviewed long ago",
        "bucket_exit": "what left long ago",
        "data_key": "data keys",
        "household_register": "registers that expired",
        "media_upload": COLLECTED,
        "resident_identifier": _NUMBERS,
        "snapshot": "snapshots made long ago",
        "subject_copy": "copies for people that expired",
        "subject_request": _REQUESTS,
        "subject_step": _REQUESTS,
    }
)
"""Table to how `jingwei maintain` names the work that ends its rows, or another command."""


def periods(entries: Iterable[Entry]) -> frozenset[str]:
    """Return the places that hold something for a period."""
    return frozenset(
        each.place
        for each in entries
        if each.holding is not None and each.holding.retention in ENDING
    )


def without_end(entries: Iterable[Entry], jobs: Mapping[str, str] = JOBS) -> list[str]:
    """Return the places whose period no job ends, and the jobs that end nothing; sorted."""
    held = periods(entries)
    unended = [f"{each}: held for a period that no job ends" for each in held - jobs.keys()]
    idle = [f"{each}: a job ends what is held for no period" for each in jobs.keys() - held]
    return sorted(unended + idle)
