"""The media part of one application: its folders, its limits, its places for stripping."""

import asyncio
from typing import Annotated, cast

from fastapi import Depends, Request

from server.media.blobs import Blobs, open_blobs
from server.media.partials import Partials
from server.settings import Limits, Settings


class MediaStore:
    """Where photos arrive and where they are kept. Nothing is opened before it is needed."""

    def __init__(self, settings: Settings) -> None:
        self.limits: Limits = settings.limits
        self.partials = Partials(settings.media_partials)
        self.cleaning = asyncio.Semaphore(settings.limits.cleanings)
        self._url = settings.media_url
        self._blobs: Blobs | None = None

    @property
    def blobs(self) -> Blobs:
        """The store of finished photos."""
        if self._blobs is None:
            self._blobs = open_blobs(self._url)
        return self._blobs


async def the_media(request: Request) -> MediaStore:
    """Return the media part of this application."""
    return cast("MediaStore", request.app.state.media)


MediaDep = Annotated[MediaStore, Depends(the_media)]
