"""Versions of the record schema: an older app's mutation is read as the newest would write it.

The record schema is what stands inside `set`, `add`, `remove` and `args`: kinds, fields, acts
and words. A mutation names the version it was written in, because it may wait in an outbox
through an update of the app and is never changed there (client contract, rule 10). Its body and
its hash stay what the phone sent; only how it is read changes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from sync.exchange import SchemaRange
from sync.mutation import EMPTY, SCHEMA, SCHEMA_FIRST, Mutation
from sync.outcome import Code

VERSIONS_BACK: Final = 2
Step = Callable[[Mutation], Mutation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schemas:
    """Which versions are taken: the newest, and `VERSIONS_BACK` before it.

    `steps` has for each older version the function that makes a mutation of it one of the next
    version. A step is total: what it cannot convert it leaves as it is, to be judged like any
    other value. None is ever changed once a server has used it: the log is read with it. None
    renames a link, a required text or a fact that stays when people are erased: phones and
    servers of all versions must redact a body to the same bytes (`sync.erasing`).
    """

    newest: int = SCHEMA
    steps: Mapping[int, Step] = field(default_factory=lambda: EMPTY)

    def __post_init__(self) -> None:
        """Refuse a table with a missing step: it would lose what it should convert."""
        every = range(SCHEMA_FIRST, self.newest)
        missing = [version for version in every if version not in self.steps]
        if missing:
            raise ValueError(f"no step leads on from version {missing[0]}")

    @property
    def least(self) -> int:
        """The oldest version that is read."""
        return max(SCHEMA_FIRST, self.newest - VERSIONS_BACK)

    def told_to(self, app_schema: int) -> SchemaRange | None:
        """Return what to tell an app that writes `app_schema`: nothing if it is the newest."""
        if app_schema == self.newest:
            return None
        return SchemaRange(least=self.least, newest=self.newest)

    def read(self, mutation: Mutation) -> Mutation:
        """Return what arrives as one of the newest version, or marked as not taken here."""
        if mutation.schema < self.least:
            return replace(mutation, skew=Code.OLDER_SCHEMA)
        return self.recall(mutation)

    def recall(self, mutation: Mutation) -> Mutation:
        """Return a mutation of the log as one of the newest version, however old it is."""
        if mutation.schema > self.newest:
            return replace(mutation, skew=Code.NEWER_SCHEMA)
        read = mutation
        for version in range(mutation.schema, self.newest):
            read = replace(self.steps[version](read), schema=version + 1)
        return read


SCHEMAS: Final = Schemas()
"""The versions this server and this phone read. So far there is one."""
