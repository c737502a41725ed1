"""Every router of the API, one line each. A feature joins the product here and nowhere else."""

from fastapi import APIRouter

from server.health import router as health
from server.identity.endpoints import router as identity
from server.reference import router as reference
from server.replication.endpoints import router as replication

ROUTERS: tuple[APIRouter, ...] = (
    health,
    reference,
    identity,
    replication,
)
