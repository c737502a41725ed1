"""Wire models of the household registry. Limits of every field come from `sync.kinds`."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, field_validator, model_validator

from server.areas.schemas import AREA_CHARS_MAX
from server.fieldrules import Body, FieldRule
from server.paging import PageParameters
from server.recordids import IdText
from sync.kinds import SET_ELEMENTS_MAX

SEARCH_CHARS_MAX = 100
FOUND_DEFAULT = 20
MASKED = "Masked: what the `*` stands for is not told here."
FOUND_MAX = 50
Door = Annotated[str, FieldRule("household", "door")]
ContactPhone = Annotated[str, FieldRule("household", "contact_phone")]
SizeBand = Annotated[str, FieldRule("household", "size_band")]
HouseholdStatus = Annotated[str, FieldRule("household", "status")]
VisitPreference = Annotated[str, FieldRule("household", "visit_preference")]
VerifiedMs = Annotated[int, FieldRule("household", "last_verified_ms")]
Language = Annotated[str, FieldRule("household", "languages")]
Languages = Annotated[list[Language], Field(max_length=SET_ELEMENTS_MAX)]
ResidentName = Annotated[str, FieldRule("resident", "name")]
BirthYear = Annotated[int, FieldRule("resident", "birth_year")]
ResidentPhone = Annotated[str, FieldRule("resident", "phone")]
ResidentStatus = Annotated[str, FieldRule("resident", "status")]


class _Change(Body):
    """A change: members that are absent stay as they are, null clears a field."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("must name at least one field")
        return self


class HouseholdParameters(PageParameters):
    """Filters of the list of households; all given ones must hold."""

    area: str | None = Field(
        None, max_length=AREA_CHARS_MAX, description="Code or id of an area; all below it."
    )
    grid: IdText | None = Field(None, description="Id of a grid.")
    status: HouseholdStatus | None = None
    archived: bool = Field(default=False, description="True: only what was put away.")


class HouseholdSearch(Body):
    """What to look for, in a body because addresses of calls are written into logs."""

    q: str = Field(
        min_length=1,
        max_length=SEARCH_CHARS_MAX,
        description="How a name, a door or an address begins, how an address ends, the code of"
        " a dwelling, or at least the last four digits of a telephone number. Spaces, marks,"
        " width and case do not matter.",
    )
    area: str | None = Field(
        None, max_length=AREA_CHARS_MAX, description="Code or id of an area; all below it."
    )
    limit: int = Field(FOUND_DEFAULT, ge=1, le=FOUND_MAX, description="Households at most.")


class HouseholdFields(Body):
    """What may be said about a household."""

    door: Door | None = None
    contact_phone: ContactPhone | None = None
    size_band: SizeBand | None = None
    status: HouseholdStatus | None = None
    visit_preference: VisitPreference | None = None
    last_verified_ms: VerifiedMs | None = None


class HouseholdCreate(HouseholdFields):
    """A new household. With an `id` of your own the call may be repeated safely."""

    id: IdText | None = Field(None, description="UUID (version 7 advised) made by the caller.")
    dwelling: IdText = Field(description="Where it lives; decides the grid.")
    languages: Languages = Field(default_factory=list)


class HouseholdPatch(HouseholdFields, _Change):
    """A change of a household. `languages` replaces the whole list."""

    languages: Languages | None = None

    @field_validator("languages")
    @classmethod
    def _is_list(cls, value: list[str] | None) -> list[str]:
        if value is None:
            raise ValueError("must be a list; an empty one clears it")
        return value


class ResidentFields(Body):
    """What may be said about a resident besides the name."""

    birth_year: BirthYear | None = None
    phone: ResidentPhone | None = None
    status: ResidentStatus | None = None


class ResidentCreate(ResidentFields):
    """A new resident. With an `id` of your own the call may be repeated safely."""

    id: IdText | None = Field(None, description="UUID (version 7 advised) made by the caller.")
    name: ResidentName


class ResidentPatch(ResidentFields, _Change):
    """A change of a resident; the name can be corrected but not cleared."""

    name: ResidentName | None = None

    @field_validator("name")
    @classmethod
    def _is_named(cls, value: str | None) -> str:
        if value is None:
            raise ValueError("cannot be cleared")
        return value


class DwellingBody(BaseModel):
    """Where a household lives."""

    id: str
    code: str
    address: str


class DwellingParameters(PageParameters):
    """Filters of the list of dwellings; all given ones must hold."""

    area: str | None = Field(
        None, max_length=AREA_CHARS_MAX, description="Code or id of an area; all below it."
    )
    grid: IdText | None = Field(None, description="Id of a grid.")
    code: str | None = Field(None, max_length=40, description="Exact code.")
    archived: bool = Field(default=False, description="True: only what was put away.")


class DwellingPlace(DwellingBody):
    """A dwelling and where it stands (WGS 84)."""

    grid: str | None
    lon: float
    lat: float


class HouseholdBody(BaseModel):
    """One household. `rev` is what `If-Match` compares."""

    id: str
    rev: int
    grid: str | None
    dwelling: DwellingBody | None = Field(description="Null if the dwelling is not known yet.")
    door: str | None
    contact_phone: str | None = Field(description=MASKED)
    size_band: str | None
    status: str | None
    visit_preference: str | None
    last_verified_ms: int | None
    languages: list[str]
    archived: bool
    updated_ms: int


class ResidentBody(BaseModel):
    """One resident. `rev` is what `If-Match` compares."""

    id: str
    rev: int
    household: str
    name: str = Field(description=MASKED)
    birth_year: int | None
    phone: str | None = Field(description=MASKED)
    status: str | None
    updated_ms: int


class FoundHousehold(BaseModel):
    """A household that was looked for, and by what it was found."""

    household: HouseholdBody
    matched: list[Literal["address", "code", "door", "name", "phone"]]


class FoundHouseholds(BaseModel):
    """What a search found; those found by most come first."""

    items: list[FoundHousehold]
    more: bool = Field(description="True if there may be others: say more to find them.")


class HouseholdWithResidents(HouseholdBody):
    """One household, its residents, and the fields on which two authors disagree."""

    residents: list[ResidentBody]
    open_conflicts: list[str]


class VisitBody(BaseModel):
    """One visit: a fact, it is never changed."""

    id: str
    household: str
    outcome: str
    text: str | None
    visited_at_ms: int | None
    visitor: str | None
