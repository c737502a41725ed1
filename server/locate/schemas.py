"""Wire models of locating: positions asked about, and what is known of where they lie."""

from pydantic import BaseModel, ConfigDict, Field

from server.fieldrules import Body
from server.grids.schemas import AccuracyM, DatumName, Latitude, Longitude, Place
from server.moment import AsOf
from server.servicepoints.schemas import OfficeAnswer

POINTS_MAX = 10_000


class MomentParameters(BaseModel):
    """When positions are looked up."""

    model_config = ConfigDict(extra="forbid")

    as_of: AsOf = None


class LocateParameters(MomentParameters):
    """One measured position."""

    lon: Longitude
    lat: Latitude
    datum: DatumName = "wgs84"
    accuracy_m: AccuracyM = 0.0

    def place(self) -> Place:
        """Return the position asked about."""
        return Place(lon=self.lon, lat=self.lat, datum=self.datum, accuracy_m=self.accuracy_m)


class LocateBatch(Body):
    """Measured positions, each in the datum it names."""

    points: list[Place] = Field(min_length=1, max_length=POINTS_MAX)


class PlaceCandidate(BaseModel):
    """A grid the position may lie in."""

    grid: str = Field(description="Its id; `grids` says more about it.")
    inside: bool = Field(description="The position itself lies in it or on its edge.")
    share: float = Field(
        description="The part of the circle of accuracy that lies in it, 0 to 1 in hundredths."
    )
    distance_to_edge_m: float = Field(description="From the position to its nearest edge.")


class PlaceAnswer(BaseModel):
    """Where one position may lie, as far as you may see."""

    lon: float = Field(description="In WGS 84.")
    lat: float = Field(description="In WGS 84.")
    grid: str | None = Field(description="The grid it lies in, null if it lies in none.")
    certain: bool = Field(description="The whole circle of accuracy lies in that grid.")
    candidates: list[PlaceCandidate] = Field(
        description="Most likely first: those that hold the position by code, then the nearest."
    )
    service_point: str | None = Field(
        description="Id of the office that answers for `grid`: of the smallest area around it "
        "that has one, the nearest of several. null: none, or in no grid that you may see."
    )


class CommunityAnswer(BaseModel):
    """The community a grid belongs to."""

    id: str
    code: str
    name: str


class WorkerAnswer(BaseModel):
    """A worker who answers for a grid, through the area they were assigned."""

    login: str
    area: str = Field(description="Id of the assigned area: the grid or one above it.")
    area_code: str


class GridAnswer(BaseModel):
    """What is known of a grid that was found."""

    id: str
    code: str
    name: str
    community: CommunityAnswer | None
    workers: list[WorkerAnswer] | None = Field(
        description="Who answers for it at that moment: those whose assigned area is the "
        "smallest, at most 8, by login. Dispatchers and administrators are told, a worker "
        "only of themselves. null: not for you to know."
    )


class LocateAnswer(PlaceAnswer):
    """Where one position may lie. `grids` holds every candidate once, by code."""

    version: int = Field(description="Of the boundaries; it grows with every change of them.")
    grids: list[GridAnswer]
    service_points: list[OfficeAnswer]


class LocateBatchAnswer(BaseModel):
    """Answers in the order of `points`. `grids` holds every candidate once, by code."""

    version: int = Field(description="Of the boundaries; it grows with every change of them.")
    points: list[PlaceAnswer]
    grids: list[GridAnswer]
    service_points: list[OfficeAnswer] = Field(description="Each that is named, once, by id.")
