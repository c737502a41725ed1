"""Wire models of the access log."""

from pydantic import BaseModel, Field

from server.paging import PageParameters
from server.recordids import IdText


class AccessParameters(PageParameters):
    """Which entries; all given filters must hold."""

    record: IdText | None = Field(None, description="Only answers that held this record.")
    account: IdText | None = Field(None, description="Only answers to this account.")
    grant: IdText | None = Field(None, description="Only answers by this broken glass.")


class AccessEntryBody(BaseModel):
    """One answer that held personal data. It names records, never what is in them."""

    id: str
    at_ms: int
    account: str
    login: str | None
    act: str
    kind: str
    records: list[str]
    purpose: str | None = Field(description="What the reader stated.")
    fields: list[str] = Field(description="What was looked at, where it is masked or sealed.")
    reason: str | None = Field(description="Why, in the words of the reader.")
    grant: str | None = Field(
        description="The broken glass without which it would not have been given."
    )
    seq: int | None = Field(description="Its place in the chain; null until it is sealed.")
