"""Wire bodies of merging."""

from pydantic import BaseModel, ConfigDict, Field

from server.recordids import IdText


class MergeRequest(BaseModel):
    """Which record stands for both from now on, and why; the reason is kept in the history."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    into: IdText = Field(description="id of the record that stays")
    text: str = Field(min_length=1, max_length=2_000)
    dry_run: bool = Field(default=False, description="Only say what would happen.")


class MergeBody(BaseModel):
    """What the merge did, or would do. `rev` is what the merged record stands at."""

    id: str
    kind: str
    rev: int
    merged_into: str
    dry_run: bool
    conflicts: list[str] = Field(
        description="Fields of the record that stays on which the two disagree."
    )
    follow: dict[str, int] = Field(
        description="How many records of each kind belong to the record that stays instead."
    )
