"""All tables. `Account.__table__` is the SQLAlchemy table, `METADATA` the schema as a whole.

The same classes describe PostgreSQL and SQLite; migrations build both and a test compares.
"""

from typing import Final

from sqlalchemy import MetaData

from server.db.tables.access import AccessEntry, AccessHead, AccessRecord
from server.db.tables.boundaries import (
    AreaCode,
    BoundaryChange,
    GridLineage,
    GridVersion,
    ServicePoint,
)
from server.db.tables.breakglass import BreakGlass
from server.db.tables.casework import Claim, Incident, Note, Report, Task
from server.db.tables.columns import StoredRow
from server.db.tables.consents import ConsentEntry, Notice
from server.db.tables.identity import Account, Area, Assignment, Device, Incarnation, Token
from server.db.tables.media import MediaBlob, MediaCopy, MediaDeclaration, MediaUpload
from server.db.tables.registers import HouseholdRegister
from server.db.tables.registry import (
    Announcement,
    Dwelling,
    EventClass,
    Grid,
    Household,
    NotSame,
    Resident,
    Visit,
)
from server.db.tables.replication import (
    OUTCOMES,
    Alias,
    Bucket,
    BucketExit,
    Conflict,
    Counter,
    Erasure,
    MutationRow,
    RecordRow,
    Snapshot,
)
from server.db.tables.sealed import (
    DataKeyRow,
    DistrictKeyRow,
    ResidentIdentifier,
)
from server.db.tables.subjects import SubjectCopy, SubjectRequest, SubjectStep
from server.db.tables.waiting import DeviceActor, HeldRow

METADATA: Final[MetaData] = StoredRow.metadata
FEATURE_TABLES: Final = {
    "grid": "MULTIPOLYGON",
    "grid_version": "MULTIPOLYGON",
    "dwelling": "POINT",
    "report": "POINT",
    "incident": "POINT",
    "task": "POINT",
    "claim": "POINT",
}
"""Tables with a `geom` column and the kind of geometry it holds."""

__all__ = [
    "FEATURE_TABLES",
    "METADATA",
    "OUTCOMES",
    "AccessEntry",
    "AccessHead",
    "AccessRecord",
    "Account",
    "Alias",
    "Announcement",
    "Area",
    "AreaCode",
    "Assignment",
    "BoundaryChange",
    "BreakGlass",
    "Bucket",
    "BucketExit",
    "Claim",
    "Conflict",
    "ConsentEntry",
    "Counter",
    "DataKeyRow",
    "Device",
    "DeviceActor",
    "DistrictKeyRow",
    "Dwelling",
    "Erasure",
    "EventClass",
    "Grid",
    "GridLineage",
    "GridVersion",
    "HeldRow",
    "Household",
    "HouseholdRegister",
    "Incarnation",
    "Incident",
    "MediaBlob",
    "MediaCopy",
    "MediaDeclaration",
    "MediaUpload",
    "MutationRow",
    "NotSame",
    "Note",
    "Notice",
    "RecordRow",
    "Report",
    "Resident",
    "ResidentIdentifier",
    "ServicePoint",
    "Snapshot",
    "StoredRow",
    "SubjectCopy",
    "SubjectRequest",
    "SubjectStep",
    "Task",
    "Token",
    "Visit",
]
