"""Wire bodies of erasing."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Reason = Literal["person_asked", "no_longer_needed", "entered_wrongly", "law"]


class ErasureRequest(BaseModel):
    """Why something is erased. The reason is a word of a list, so that it names nobody."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason
    dry_run: bool = Field(default=False, description="Only count what would be erased.")


class ErasureBody(BaseModel):
    """What was erased, or would be. `rev` is what the record stands at now."""

    id: str
    kind: str
    rev: int
    dry_run: bool
    records: dict[str, int] = Field(description="How many records of each kind.")
    mutations: int = Field(description="How much of what was asked lost its content.")
    conflicts: int
    photos: int
