"""Wire bodies of identity numbers."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from server.identifiers.rules import CHARS_MAX, Kind

Purpose = Annotated[str, Field(max_length=40, pattern=r"^[a-z][a-z0-9_]{2,39}$")]
Number = Annotated[str, Field(min_length=5, max_length=CHARS_MAX, repr=False)]


class IdentifierPut(BaseModel):
    """A number to be kept, what for, and until when."""

    model_config = ConfigDict(extra="forbid")

    value: Number
    purpose: Purpose = Field(description="One of `JINGWEI_SEALED_PURPOSES`.")
    expires_ms: int = Field(gt=0, description="It is destroyed after that.")


class IdentifierBody(BaseModel):
    """That a number is kept. The number itself is not in here."""

    resident: str
    kind: Kind
    purpose: str
    expires_ms: int
    set_ms: int


class RevealRequest(BaseModel):
    """Why a number is to be shown: the purpose it is kept for."""

    model_config = ConfigDict(extra="forbid")

    purpose: Purpose


class RevealedBody(BaseModel):
    """One number, to be used now and not to be stored."""

    resident: str
    kind: Kind
    value: Number


class IdentifierSearch(BaseModel):
    """A whole number to look for."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    value: Number
    purpose: Purpose


class FoundResident(BaseModel):
    """A resident of your area who has the number."""

    resident: str
    household: str
