"""What somebody may do in a project at this moment, whatever their token was once given."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from mooring.access.epoch import Epoch
from mooring.access.permissions import Permission
from mooring.cluster.clock import Clock
from mooring.database import Database
from mooring.refusals import Reason

REMEMBERED = 20_000


@dataclass(frozen=True)
class Standing:
    project_id: int | None
    """None where the project does not exist."""
    permissions: frozenset[Permission] = field(default_factory=frozenset)
    system_admin: bool = False
    role: str = ""
    refusal: Reason | None = None
    """Why the account itself is no longer good: revoked, disabled or credentials_expired."""
    until: int | None = None
    """Cluster time at which the account expires."""


Evaluate = Callable[[Connection, str, str, int], Standing]
"""(connection, subject, project name, now): the rules live with the projects; `projects.standing` has them."""


class Standings:
    """Remembers only what was granted. A refusal is always asked of the database again before it is given."""

    def __init__(self, database: Database, clock: Clock, epoch: Epoch, evaluate: Evaluate) -> None:
        self._database = database
        self._clock = clock
        self._epoch = epoch
        self._evaluate = evaluate
        self._remembered: OrderedDict[tuple[str, str], tuple[int, Standing]] = OrderedDict()

    async def of(self, subject: str, project: str, wanted: Permission) -> Standing:
        """The standing, fresh enough to grant `wanted` or to refuse it."""
        epoch = self._epoch.current()
        known = self._remembered.get((subject, project))
        if known is not None and known[0] == epoch and self._grants(known[1], wanted):
            return known[1]
        standing = await self.fresh(subject, project)
        if epoch is not None and self._grants(standing, wanted):
            self._remembered[subject, project] = (epoch, standing)
            while len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
        return standing

    async def fresh(self, subject: str, project: str) -> Standing:
        return await self._database.read(self._evaluate, subject, project, self._clock.now())

    def _grants(self, standing: Standing, wanted: Permission) -> bool:
        alive = standing.until is None or standing.until > self._clock.now()
        return alive and standing.refusal is None and wanted in standing.permissions
