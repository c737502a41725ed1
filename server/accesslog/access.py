"""What an endpoint that gives out personal data asks for: a place to note it."""

from collections.abc import Iterable
from typing import Annotated, Protocol

from fastapi import Depends, Header

from server.accesslog.chain import Noted
from server.accesslog.writing import note
from server.clock import new_id
from server.db.store import Store
from server.deps import Now, StoreDep
from server.identity.access import CurrentPrincipal
from sync.holding import Purpose


class Glass(Protocol):
    """What was broken to see more than one's own area: its id, and why."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def reason(self) -> str:
        """Why, in the words of the reader."""


class Reading:
    """One request that reads personal data: who, when, and what for."""

    def __init__(self, store: Store, account: str, now_ms: int, purpose: str | None) -> None:
        self._store = store
        self._account = account
        self._now_ms = now_ms
        self._purpose = purpose

    async def note(
        self, act: str, kind: str, records: Iterable[str], *, glass: Glass | None = None
    ) -> None:
        """Note that `records` of a kind are about to be given out; nothing for none.

        `glass` is what had to be broken to see some of them.

        Raises:
            StoreBusy: if it could not be stored. The caller must not answer then.
        """
        ids = tuple(records)
        if not ids:
            return
        await note(
            self._store,
            Noted(
                id=new_id(),
                at_ms=self._now_ms,
                account=self._account,
                act=act,
                kind=kind,
                records=ids,
                purpose=self._purpose,
                reason=None if glass is None else glass.reason,
                grant=None if glass is None else glass.id,
            ),
        )


async def the_reading(
    principal: CurrentPrincipal,
    now: Now,
    store: StoreDep,
    access_purpose: Annotated[
        Purpose | None,
        Header(
            description="What the personal data is read for; it is noted in the access log."
        ),
    ] = None,
) -> Reading:
    """Return where this request notes what it gives out."""
    purpose = None if access_purpose is None else access_purpose.value
    return Reading(store, principal.account, now, purpose)


ReadingDep = Annotated[Reading, Depends(the_reading)]
