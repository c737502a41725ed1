"""How the comparisons of a store say what they found."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something stored that does not follow from the truth. Holds names, never values."""

    record: str
    kind: str
    what: str
