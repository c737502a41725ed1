"""Every router of the API, one line each. A feature joins the product here and nowhere else.

`OPEN` is answered without a token: health, and pages that hold no data. Whatever is in
`ROUTERS` needs one before anything else of a request is looked at, whether its endpoints say so
or not.
"""

from fastapi import APIRouter

from server.accesslog.endpoints import router as accesses
from server.announcements.endpoints import router as announcements
from server.archive.endpoints import router as archive
from server.areas.endpoints import router as areas
from server.assignments.endpoints import router as assignments
from server.boundaries.endpoints import router as boundaries
from server.boundaries.proposal_endpoints import router as proposals
from server.boundaries.upload_endpoints import router as grid_files
from server.breakglass.endpoints import router as breakglass
from server.casework.endpoints import router as casework
from server.casework.step_endpoints import router as casework_steps
from server.conflicts.endpoints import router as conflicts
from server.consents.endpoints import router as consents
from server.devices.endpoints import router as devices
from server.duplicates.endpoints import router as duplicates
from server.erasure.endpoints import router as erasure
from server.grids.endpoints import router as grids
from server.health import router as health
from server.history.endpoints import router as history
from server.households.endpoints import router as households
from server.households.import_endpoints import router as registry_import
from server.households.moving_endpoints import router as moving
from server.households.search_endpoints import router as household_search
from server.identifiers.endpoints import router as identifiers
from server.identity.endpoints import router as identity
from server.inbox.actor_endpoints import router as actors
from server.inbox.endpoints import router as inbox
from server.layers.endpoints import router as layers
from server.layers.file_endpoints import router as layer_files
from server.locate.endpoints import router as locate
from server.media.endpoints import router as media
from server.media.tus_endpoints import router as uploads
from server.merging.endpoints import router as merging
from server.reference import router as reference
from server.registers.endpoints import router as registers
from server.replication.endpoints import router as replication
from server.replication.snapshot_endpoints import router as snapshots
from server.revealing.endpoints import router as revealing
from server.servicepoints.endpoints import router as service_points
from server.subjects.endpoints import router as subjects
from server.web.endpoints import router as web

OPEN: tuple[APIRouter, ...] = (
    health,
    reference,
    web,
)
ROUTERS: tuple[APIRouter, ...] = (
    accesses,
    breakglass,
    identity,
    devices,
    assignments,
    replication,
    snapshots,
    areas,
    service_points,
    announcements,
    archive,
    merging,
    duplicates,
    erasure,
    subjects,
    consents,
    grids,
    boundaries,
    proposals,
    grid_files,
    households,
    identifiers,
    household_search,
    moving,
    registry_import,
    registers,
    casework,
    casework_steps,
    conflicts,
    revealing,
    history,
    inbox,
    actors,
    layers,
    layer_files,
    locate,
    media,
    uploads,
)
