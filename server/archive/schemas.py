"""Wire bodies of putting away and bringing back."""

from pydantic import BaseModel, ConfigDict, Field


class Reason(BaseModel):
    """Why it is done; kept in the history of the record."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    text: str = Field(min_length=1, max_length=2_000)


class ShelvedBody(BaseModel):
    """Where a record stands afterwards. `rev` is what `If-Match` compares."""

    id: str
    kind: str
    rev: int
    archived: bool
