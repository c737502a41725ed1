"""Liveness and readiness, for the process supervisor and the load balancer.

Open to everyone.
"""

from fastapi import APIRouter

router = APIRouter(tags=["health"])


@router.get("/livez")
async def live() -> dict[str, str]:
    """Say that the process answers. Restart it when this stops."""
    return {"status": "live"}
