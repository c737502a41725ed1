"""The consoles' door to the write path: REST requests and imports become mutations.

A console is a device whose `n` the server allocates (docs/decisions), so every change has an
author, a time and a place in history, whoever made it. A console's decision that the rules
refuse raises, and the caller's transaction rolls back: unlike a phone, it is told at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from server.problems import (
    InvalidBody,
    NeedsPerson,
    PreconditionFailed,
    TransitionRefused,
)
from server.replication import queries
from server.replication.consoles import Console, console_author, console_device
from server.replication.gather import Batch
from server.replication.settle import settle
from sync.mutation import EMPTY, Mutation, Position
from sync.outcome import Outcome
from sync.push import Settled
from sync.sheet import Verdict
from sync.wire_mutation import sealed

__all__ = ["BATCH_MUTATIONS_MAX", "Console", "Draft", "drafted", "require_done", "submit"]

BATCH_MUTATIONS_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A mutation a console asks for; `n`, time and device are the server's to give.

    `if_rev` is the revision of an `If-Match` header: any other revision refuses the draft.
    """

    record: str
    kind: str
    base: int
    set: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    add: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: EMPTY)
    remove: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: EMPTY)
    act: str | None = None
    args: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    position: Position | None = None
    group: str | None = None
    why: str | None = None
    if_rev: int | None = None


def drafted(draft: Draft, n: int) -> Mutation:
    """Return a draft as a mutation; its body is the canonical JSON that a phone would send."""
    return sealed(
        Mutation(
            n=n,
            record=draft.record,
            kind=draft.kind,
            base=draft.base,
            body=b"",
            set=draft.set,
            add=draft.add,
            remove=draft.remove,
            act=draft.act,
            args=draft.args,
            position=draft.position,
            group=draft.group,
            why=draft.why,
        )
    )


def submit(
    db: Connection,
    console: Console,
    drafts: Sequence[Draft],
    *,
    now_ms: int,
    at_once: int = BATCH_MUTATIONS_MAX,
) -> list[Settled]:
    """Decide and store drafts in order, `at_once` together, inside the caller's transaction.

    Returns one settled mutation a draft; nothing is raised for a refused one, see
    `require_done`.

    Raises:
        PreconditionFailed: if a draft's `if_rev` is not the record's revision.
    """
    answers: list[Settled] = []
    for start in range(0, len(drafts), at_once):
        chunk = drafts[start : start + at_once]
        device = console_device(db, console, now_ms)
        first = device.settled_through + 1
        _check_preconditions(db, chunk)
        batch = Batch(
            device=device,
            author=console_author(device.id, console),
            mutations=[drafted(each, first + index) for index, each in enumerate(chunk)],
            send=None,
            received_ms=now_ms,
        )
        answers.extend(settle(db, batch).answers)
    return answers


def _check_preconditions(db: Connection, drafts: Sequence[Draft]) -> None:
    """Compare `if_rev` under the locks of the records' buckets, so the answer stays true."""
    guarded = {each.record: each.if_rev for each in drafts if each.if_rev is not None}
    if not guarded:
        return
    revs = queries.record_revs(db, sorted(guarded))
    queries.lock_buckets(db, {bucket for _, bucket in revs.values()})
    for record, (rev, _) in queries.record_revs(db, sorted(guarded)).items():
        if rev != guarded[record]:
            raise PreconditionFailed(current_rev=rev)


_DONE = frozenset({Outcome.APPLIED, Outcome.MERGED, Outcome.UNCHANGED, Outcome.CONFLICT})


def require_done(settled: Sequence[Settled | Verdict]) -> None:
    """Raise the problem of the first refused mutation, so that the transaction rolls back.

    Raises:
        InvalidBody: the mutation can never be applied; names the field.
        TransitionRefused: the record's state does not allow the act.
        NeedsPerson: the mutation is held for somebody to decide.
    """
    for each in settled:
        if each.outcome in _DONE:
            continue
        code = None if each.code is None else each.code.value
        if each.outcome is Outcome.INVALID:
            pointer = "" if each.field is None else f"/{each.field}"
            raise InvalidBody.at(pointer, code or "invalid")
        if each.outcome is Outcome.RECORDED:
            raise TransitionRefused(code=code)
        raise NeedsPerson(code=code)
