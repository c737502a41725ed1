"""What became of a mutation: the closed list of outcomes and the codes that explain them.

Source of the rule: sync protocol, section 3 "Outcomes". An outcome is final and stored for
ever, except `RETRY`, which is never stored. Codes are permanent identifiers: clients translate
them, so a code is never renamed or reused; `docs/protocol/` lists each with what the worker
should do.
"""

from enum import StrEnum


class Outcome(StrEnum):
    """The result of one mutation as its author reads it."""

    APPLIED = "applied"
    MERGED = "merged"
    UNCHANGED = "unchanged"
    CONFLICT = "conflict"
    RECORDED = "recorded"
    HELD = "held"
    QUARANTINED = "quarantined"
    INVALID = "invalid"
    RETRY = "retry"


class Code(StrEnum):
    """Why an outcome is not plainly `applied`. Stable for ever."""

    # invalid: the body is kept, the phone must not send it again
    MALFORMED = "malformed"
    UNKNOWN_KIND = "unknown-kind"
    UNKNOWN_FIELD = "unknown-field"
    UNKNOWN_ACT = "unknown-act"
    BAD_VALUE = "bad-value"
    MISSING_FIELD = "missing-field"
    IMMUTABLE_FIELD = "immutable-field"
    READ_ONLY_KIND = "read-only-kind"
    NOT_ALLOWED = "not-allowed"
    KIND_MISMATCH = "kind-mismatch"
    # held: a person must look; the body merges with its own base and time when released
    BASE_FROM_FUTURE = "base-from-future"
    UNKNOWN_RECORD = "unknown-record"
    UNKNOWN_PARENT = "unknown-parent"
    NOT_IN_SCOPE = "not-in-scope"
    UNKNOWN_ACTOR = "unknown-actor"
    SERVER_FAULT = "server-fault"
    GROUP_FAILED = "group-failed"
    GROUP_CUT = "group-cut"
    GROUP_TOO_LARGE = "group-too-large"
    OLDER_SCHEMA = "older-schema"
    NEWER_SCHEMA = "newer-schema"
    RESTRICTED = "restricted"
    DOUBTFUL_DATUM = "doubtful-datum"
    # recorded: the fact is kept, the state it asked for did not change; so is a report with
    # `UNKNOWN_PARENT`, which got an incident of its own
    ALREADY_EXISTS = "already-exists"
    ALREADY_CLAIMED = "already-claimed"
    LATER_STATE = "later-state"
    OTHER_EPOCH = "other-epoch"
    TERMINAL = "terminal"
    NOT_ASSIGNED = "not-assigned"
    WRONG_STATE = "wrong-state"
    OWN_WORK = "own-work"
    ERASED = "erased"
    # merged: into a record that nobody shows any more, or into the one that now stands for it
    ARCHIVED = "archived"
    RECORD_MERGED = "record-merged"
    # conflict
    VALUES_DIFFER = "values-differ"
    # quarantined: identity doubtful, body kept
    REUSED_N = "reused-n"
    STALE_LEASE = "stale-lease"
    DEVICE_REVOKED = "device-revoked"
    # retry: temporary, nothing stored
    GAP = "gap"
    AFTER_GAP = "after-gap"
    BATCH_LIMIT = "batch-limit"
