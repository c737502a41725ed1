"""How a request about one's own data goes on, and until when it has to be answered. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

DAY_MS: Final = 86_400_000
Asked = Literal["access", "correction", "erasure", "restriction"]
About = Literal["household", "resident"]
Verified = Literal[
    "document_seen", "known_in_person", "called_back", "authorised_person", "official_letter"
]
State = Literal["received", "in_progress", "answered", "refused"]
Refusal = Literal[
    "identity_not_certain",
    "nothing_held",
    "law_requires_keeping",
    "rights_of_others",
    "repeated",
]
OPEN: Final = ("received", "in_progress")
_NEXT: Final[dict[tuple[str, str], State]] = {
    ("received", "begun"): "in_progress",
    ("in_progress", "answered"): "answered",
    ("received", "refused"): "refused",
    ("in_progress", "refused"): "refused",
}
DEEDS: Final[dict[str, frozenset[str]]] = {
    "access": frozenset({"copied"}),
    "correction": frozenset({"corrected"}),
    "erasure": frozenset({"erased"}),
    "restriction": frozenset({"restricted"}),
}
"""By what a request is done: one of these acts has to be among its steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why a step may not be taken: a permanent word."""

    code: str


def due_at(received_ms: int, days: int) -> int:
    """Return until when a request has to be answered, `days` of the calendar after it came."""
    return received_ms + days * DAY_MS


def is_overdue(state: str, due_ms: int, now_ms: int) -> bool:
    """Say whether a request should have been answered."""
    return state in OPEN and due_ms < now_ms


def state_after(state: str, act: str) -> State | Refused:
    """Return the state after an act that ends or begins the work on a request."""
    return _NEXT.get((state, act)) or Refused(code="wrong-state")


def may_work(state: str, asked: str, wanted: str) -> Refused | None:
    """Say why nobody may do something for a request of one kind; None if one may.

    `wanted` is the kind of request that the deed belongs to.
    """
    if asked != wanted:
        return Refused(code="other-request")
    return None if state == "in_progress" else Refused(code="wrong-state")


def may_answer(asked: str, acts: frozenset[str]) -> Refused | None:
    """Say why a request cannot be called answered: nothing of what it asks for was done."""
    return None if DEEDS[asked] & acts else Refused(code="nothing-done")


def may_lift(asked: str, acts: Sequence[str]) -> Refused | None:
    """Say why the restriction for a request cannot be lifted; `acts` are its steps in order."""
    if asked != "restriction":
        return Refused(code="other-request")
    done = [each for each in acts if each in {"restricted", "lifted"}]
    return None if done and done[-1] == "restricted" else Refused(code="wrong-state")


def may_erase(counted_rev: int | None, rev: int) -> Refused | None:
    """Say why a record may not be erased: what it takes was not counted as it stands now."""
    return None if counted_rev == rev else Refused(code="count-first")
