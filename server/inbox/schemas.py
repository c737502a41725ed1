"""Wire models of what waits for a person."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

from server.areas.schemas import AREA_CHARS_MAX
from server.fieldrules import Body
from server.grids.schemas import DatumName
from server.paging import PageParameters
from server.recordids import IdText
from sync.kinds import SET_ELEMENTS_MAX
from sync.wire_mutation import FIELDS_MAX

NAME_CHARS_MAX = 40
REASON_CHARS_MAX = 500
BULK_MAX = 500
PAGE_MAX = 100
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,39}$")]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=REASON_CHARS_MAX)]
FieldValue = str | int | bool | None
Elements = dict[Name, Annotated[list[str], Field(max_length=SET_ELEMENTS_MAX)]]
TimeMs = Annotated[int, Field(ge=0, le=253_402_300_799_999)]


class HeldParameters(PageParameters):
    """Filters of the inbox; all given ones must hold.

    A page is short: each item is made from the whole of what was sent.
    """

    limit: int = Field(50, ge=1, le=PAGE_MAX, description="Items per page.")
    status: Literal["open", "released", "refused"] | None = None
    area: str | None = Field(
        None, max_length=AREA_CHARS_MAX, description="Code or id of an area; all below it."
    )
    account: IdText | None = Field(None, description="Whose phone it came from, or the actor.")
    device: IdText | None = Field(None, description="The device it came from.")
    code: Code | None = Field(None, description="What stands in the way now.")
    outcome: Literal["held", "quarantined"] | None = None


class Person(BaseModel):
    """An account; the login is null if there is none with this id."""

    id: str
    login: str | None


class HeldSummary(BaseModel):
    """One mutation that waits or waited: who, when, which record and what for, no values."""

    device: str
    n: int
    record: str | None
    kind: str | None
    account: Person = Field(description="To whom the device belongs.")
    actor: Person | None = Field(description="Who it says did it, if somebody else.")
    area: str | None = Field(description="Code of the area whose people decide.")
    outcome: str = Field(description="What the phone was told: held or quarantined.")
    code: str = Field(description="What stands in the way now.")
    field: str | None = Field(description="The member that `code` is about.")
    summary: str = Field(description="What it asks for, in words, without values.")
    at_ms: int = Field(description="When it was done, corrected.")
    quality: str = Field(description="How good `at_ms` is: exact, estimated or clamped.")
    held_ms: int = Field(description="When it began to wait.")
    before_loss: bool | None = Field(
        description="Whether it was done before the phone was lost; null if none was reported."
    )
    arrived: bool = Field(description="The record it waited for exists by now.")
    orphan: bool = Field(description="The record it waits for has not come in five days.")
    status: str
    proposed_datum: DatumName | None = Field(
        description="Of `doubtful-datum`: what the position seems to be in, as it looks now."
    )
    version: int = Field(description="What `If-Match` compares.")
    decided_ms: int | None
    decided_by: str | None = Field(description="Login of who released or refused it.")
    why: str | None = Field(
        description="person, arrived, actor or readable: what ended the waiting."
    )
    note: str | None = Field(description="The reason that was given.")
    became: str | None = Field(description="The outcome after its release.")
    became_code: str | None


class Copy(BaseModel):
    """The same work sent again by the same account under another device, and taken."""

    device: str
    n: int


class HeldBody(HeldSummary):
    """One mutation with what it says, for those who may read it."""

    body: dict[str, Any] | None = Field(
        description="The mutation as it was received, masked; null for an administrator."
    )
    sent_again: Copy | None = Field(description="Releasing it would do it twice.")


class Correction(Body):
    """Members that count instead of those that were sent; a named one is replaced whole."""

    set: Annotated[dict[Name, FieldValue], Field(max_length=FIELDS_MAX)] | None = None
    add: Annotated[Elements, Field(max_length=FIELDS_MAX)] | None = None
    remove: Annotated[Elements, Field(max_length=FIELDS_MAX)] | None = None
    args: Annotated[dict[Name, FieldValue | list[str]], Field(max_length=FIELDS_MAX)] | None = (
        None
    )
    datum: DatumName | None = Field(
        None, description="What the position really is in; it is converted anew."
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.members():
            raise ValueError("must name at least one member")
        return self

    def members(self) -> dict[str, Any]:
        """The members that were given."""
        return self.model_dump(exclude_none=True)


class Release(Body):
    """Let the work count, as it was sent or corrected."""

    text: Reason | None = Field(None, description="Why, for the history.")
    correction: Correction | None = None


class Refusal(Body):
    """Let the work not count. It stays in the log."""

    text: Reason = Field(description="Why; the history keeps it.")


class Selection(Body):
    """Which work of one device: all given conditions must hold, at most 500 at a time, by n."""

    device: IdText
    code: Code | None = Field(None, description="Only what waits for this reason.")
    before_loss: bool | None = Field(
        None, description="Only what was done before the reported loss, or only after it."
    )
    before_ms: TimeMs | None = Field(None, description="Only what was done before this time.")
    dry_run: bool = Field(
        default=False, description="Say what would become of it; change nothing."
    )


class BulkRelease(Selection):
    """Let all of it count."""

    text: Reason | None = None


class BulkRefusal(Selection):
    """Let none of it count."""

    text: Reason


class Ruled(BaseModel):
    """What became of one mutation.

    `status` is open if it could not be applied, decided if somebody else was faster.
    """

    n: int
    record: str | None
    status: str
    became: str | None
    code: str | None


class BulkResult(BaseModel):
    """What became of a selection, by n."""

    dry_run: bool
    items: list[Ruled]
    more: bool = Field(description="There is more of it than one call takes; call again.")


class ActorAcceptance(Body):
    """Who may act on the phone: yourself without a body, or a worker you answer for."""

    account: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = Field(
        None, description="Login or id of a worker."
    )


class ActorView(BaseModel):
    """A worker who may act on a phone beside the one it belongs to."""

    account: str
    login: str
    accepted_ms: int
    ended_ms: int | None


class ActorList(BaseModel):
    """Everybody ever accepted on a device, the earliest first."""

    items: list[ActorView]


class ActorAccepted(ActorView):
    """The acceptance, and what it let go."""

    released: int = Field(description="Mutations that had waited for it and were applied.")
    waiting: int = Field(description="Mutations of this worker on the device that still wait.")
