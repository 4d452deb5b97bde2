"""What the management API works with, put together in `app`."""

from dataclasses import dataclass

from fastapi import Request

from mooring.access.caller import Callers
from mooring.cluster.clock import Clock
from mooring.cluster.configuration import Configuration
from mooring.cluster.readiness import Readiness
from mooring.database import Database
from mooring.identity.passwords import PasswordChecker
from mooring.registry.images import Images
from mooring.settings import Settings


@dataclass(frozen=True)
class Parts:
    database: Database
    clock: Clock
    configuration: Configuration
    callers: Callers
    passwords: PasswordChecker
    images: Images
    readiness: Readiness

    @property
    def settings(self) -> Settings:
        return self.configuration.settings

    @property
    def collection_delay(self) -> int:
        """Microseconds."""
        return int(self.settings.collection_delay_seconds * 1_000_000)


def parts_of(request: Request) -> Parts:
    parts = request.app.state.parts
    assert isinstance(parts, Parts)
    return parts
