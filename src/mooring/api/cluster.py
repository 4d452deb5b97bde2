"""What the registry knows of its replicas: what `mooring doctor` and `mooring cluster status` look at."""

from typing import Annotated

from fastapi import Depends

from mooring.access.permissions import Permission
from mooring.api import routing
from mooring.api.access import System
from mooring.api.visit import Visit
from mooring.doctor.census import Census, census

router = routing.router("cluster")


@router.get("/cluster")
async def cluster(visit: Annotated[Visit, Depends(System(Permission("cluster", "read")))]) -> Census:
    """Replicas as each last said of itself, the work that waits, and what is in force. It changes nothing."""
    parts = visit.parts
    return await parts.database.read(census, parts.clock.now(), parts.settings)
