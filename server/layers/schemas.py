"""Wire models of layers."""

from pydantic import BaseModel, ConfigDict, Field

from server.areas.schemas import AREA_CHARS_MAX
from server.layers.bounds import BBOX_CHARS_MAX
from server.layers.export import ExportFormat
from server.layers.interval import DATETIME_CHARS_MAX, DESCRIPTION
from server.layers.systems import CRS_CHARS_MAX, CRS_DESCRIPTION
from server.moment import AsOf
from server.paging import Cursor

FEATURES_DEFAULT = 1_000
FEATURES_MAX = 10_000


class LayerParameters(BaseModel):
    """What to take from a layer; all given filters must hold."""

    model_config = ConfigDict(extra="forbid")

    bbox: str | None = Field(
        None,
        max_length=BBOX_CHARS_MAX,
        description="minx,miny,maxx,maxy, longitude or easting first, in `bbox-crs`.",
    )
    bbox_crs: str = Field(
        "CRS84", alias="bbox-crs", max_length=CRS_CHARS_MAX, description=CRS_DESCRIPTION
    )
    crs: str = Field("CRS84", max_length=CRS_CHARS_MAX, description=CRS_DESCRIPTION)
    area: str | None = Field(
        None, max_length=AREA_CHARS_MAX, description="Code or id of an area; all below it."
    )
    datetime: str | None = Field(None, max_length=DATETIME_CHARS_MAX, description=DESCRIPTION)
    limit: int = Field(
        FEATURES_DEFAULT, ge=1, le=FEATURES_MAX, description="Features per page."
    )
    cursor: Cursor = None


class FileParameters(BaseModel):
    """What file to make of a layer."""

    model_config = ConfigDict(extra="forbid")

    format: ExportFormat = Field(
        ExportFormat.GPKG, description="`shp` is a zip with one shapefile."
    )
    crs: str = Field("CRS84", max_length=CRS_CHARS_MAX, description=CRS_DESCRIPTION)
    area: str | None = Field(
        None, max_length=AREA_CHARS_MAX, description="Code or id of an area; all below it."
    )
    as_of: AsOf = None


class LayerFieldBody(BaseModel):
    """One attribute of a layer."""

    name: str
    title: str
    kind: str


class LayerBody(BaseModel):
    """What a layer holds."""

    id: str
    title: str
    description: str
    geometry: str
    time_field: str = Field(description="What `datetime` is compared with.")
    fields: list[LayerFieldBody]
    href: str


class LayerList(BaseModel):
    """The layers there are."""

    items: list[LayerBody]
