"""Photos and recordings as the protocol sees them: hashes that mutations declare.

The bytes travel apart from the records (docs/protocol/12-media.md): a record never waits for
its photo, and a photo may come first.
"""

from enum import StrEnum

from sync.fields import Media
from sync.mutation import Mutation
from sync.outcome import Outcome

DAY_MS = 86_400_000
MISSING_AFTER_MS = 7 * DAY_MS
ASKED_FOR_MS = 30 * DAY_MS
WANTED_MAX = 100
_MEMBER = "media"
_NOT_TAKEN = frozenset({Outcome.INVALID, Outcome.QUARANTINED})


class MediaState(StrEnum):
    """Where the bytes of a declared hash are.

    DECLARED: nothing has come yet. PARTIAL: an upload is under way. STORED: they are there.
    MISSING: nothing came for a week; they are still welcome. REFUSED: they came and cannot be
    kept. ERASED: a person's data was deleted, and they are not taken again.
    """

    DECLARED = "declared"
    PARTIAL = "partial"
    STORED = "stored"
    MISSING = "missing"
    REFUSED = "refused"
    ERASED = "erased"


def declared_media(mutation: Mutation, outcome: Outcome) -> tuple[str, ...]:
    """Return the content hashes that a settled mutation declares, sorted, each once.

    They are the elements added to the set `media` of a new record and the argument `media` of
    an act. What was refused or set aside declares nothing, and neither does what is no hash.
    """
    if outcome in _NOT_TAKEN:
        return ()
    listed = mutation.args.get(_MEMBER)
    named = [*mutation.add.get(_MEMBER, ()), *(listed if isinstance(listed, list) else ())]
    return tuple(sorted({each for each in named if Media().fault(each) is None}))


def waiting_state(*, declared_ms: int, under_way: bool, now_ms: int) -> MediaState:
    """Return the state of a hash declared at `declared_ms` whose bytes are not there."""
    if under_way:
        return MediaState.PARTIAL
    if now_ms - declared_ms >= MISSING_AFTER_MS:
        return MediaState.MISSING
    return MediaState.DECLARED
