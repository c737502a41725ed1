"""What is said beside a vector file, and how much it may hold."""

from dataclasses import dataclass
from typing import Final

from geo.crs import Bounds
from geo.geojson import Limits
from server.imports.cells import FILE_BYTES_MAX

FILE_LIMITS: Final = Limits(vertices_max=1_000_000, features_max=100_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """How a file calls the attributes of a grid.

    `all_in` is the code or id of the community of all grids, for a file that names none.
    """

    code: str = "code"
    name: str = "name"
    community: str = "community"
    all_in: str | None = None


OUR_FIELDS: Final = Fields()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """How to read a file.

    `crs`, `encoding` and `layer` are for a file that does not say them itself; `ground` is
    where the deployment lies, in WGS 84 degrees, if that is known. Only the attributes in
    `fields` are read, all of them without it. `bytes_max` is the size unpacked.
    """

    crs: str | None = None
    encoding: str | None = None
    layer: str | None = None
    fields: Fields | None = None
    ground: Bounds | None = None
    limits: Limits = FILE_LIMITS
    bytes_max: int = FILE_BYTES_MAX
