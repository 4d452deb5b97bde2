"""What the endpoints of `/v2` work with, put together in `app`."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from mooring.access.admissions import Admissions
from mooring.access.authorizer import Authorizer
from mooring.access.caller import Caller, Callers
from mooring.access.standing import Standing
from mooring.cluster.clock import Clock
from mooring.cluster.configuration import Configuration
from mooring.database import Database
from mooring.registry.pulls import Pulls
from mooring.registry.uploads import Hashes
from mooring.settings import Settings
from mooring.storage import Store

Visible = Callable[[Connection, str, int], Collection[int] | None]
"""(connection, subject, now): the projects that somebody may pull from; None for all. `projects.standing` has it."""


@dataclass(frozen=True)
class Registry:
    database: Database
    store: Store
    clock: Clock
    configuration: Configuration
    callers: Callers
    authorizer: Authorizer
    admissions: Admissions
    visible_projects: Visible
    hashes: Hashes
    pulls: Pulls

    @property
    def settings(self) -> Settings:
        return self.configuration.settings

    @property
    def collection_delay(self) -> int:
        """Microseconds."""
        return int(self.settings.collection_delay_seconds * 1_000_000)


class Visit(NamedTuple):
    """One request that was allowed: who came, to which repository, and with what rights there."""

    caller: Caller
    repository: str
    reference: str
    project_id: int
    standing: Standing
