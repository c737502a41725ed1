"""Note an access before its answer is given, many of one moment in one transaction."""

import asyncio
from contextlib import suppress
from functools import partial

from server.accesslog import queries
from server.accesslog.chain import Noted
from server.db.store import Store


class AccessLog:
    """Writes entries for one process. Those that come while it writes go together, next.

    So a reader waits for one commit, or for two at most, however many read at once.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[tuple[Noted, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def note(self, entry: Noted) -> None:
        """Return when the entry is stored.

        Raises:
            StoreBusy: if it could not be; then nothing may be answered.
        """
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, written))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        await written

    async def _write(self) -> None:
        while self._waiting:
            taken, self._waiting = (
                self._waiting[: queries.CHUNK],
                self._waiting[queries.CHUNK :],
            )
            try:
                await self._store.write(partial(queries.note, entries=[e for e, _ in taken]))
            except Exception as failure:  # noqa: BLE001 - each who waits is told
                for _, written in taken:
                    _tell(written, failure)
            else:
                for _, written in taken:
                    _tell(written, None)


def _tell(written: asyncio.Future[None], failure: Exception | None) -> None:
    # Who waited may have gone away meanwhile.
    with suppress(asyncio.InvalidStateError):
        if failure is None:
            written.set_result(None)
        else:
            written.set_exception(failure)
