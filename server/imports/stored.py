"""What the area tree holds, as a value: also where there is no database."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredArea:
    """One row of the area tree."""

    id: str
    code: str
    name: str
    level: int
    parent_id: str | None
    lo: int
    hi: int
