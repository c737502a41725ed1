"""Wire models of photos."""

from pydantic import BaseModel, ConfigDict, Field

from server.recordids import IdText
from sync.media import MediaState


class MediaParameters(BaseModel):
    """Whose photos to list."""

    model_config = ConfigDict(extra="forbid")

    record: IdText = Field(description="Id of a report or a task.")


class MediaBody(BaseModel):
    """One photo or recording that a record names."""

    hash: str = Field(description="sha256: and the hash of the bytes the phone had")
    state: MediaState
    declared_ms: int
    code: str | None = Field(description="why it was refused")
    media_type: str | None
    size: int | None = Field(description="bytes of what is served")


class MediaList(BaseModel):
    """The photos of one record, by hash."""

    items: list[MediaBody]
