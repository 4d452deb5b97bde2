"""Keeps this replica's keys current and moves the cluster's keys on. Every replica does; any may die."""

from collections import defaultdict

from sqlalchemy import Connection

from mooring.access import keyring
from mooring.access.keyholder import KeyHolder
from mooring.access.keyring import Keyring
from mooring.cluster.clock import SECOND, Clock
from mooring.cluster.configuration import Configuration
from mooring.cluster.master_key import MasterKey
from mooring.database import Database
from mooring.observe.audit import log as audit
from mooring.observe.audit.log import Act
from mooring.observe.metrics import Metrics

DAY_SECONDS = 86_400
SCHEDULE = "(key_life_days)"
"""Who replaces keys in the audit log, where no person does: nobody can be called so."""


class Rotation:
    def __init__(
        self,
        database: Database,
        clock: Clock,
        keys: KeyHolder,
        master_key: MasterKey,
        configuration: Configuration,
        replica: str,
    ) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys
        self._master_key = master_key
        self._replica = replica
        self._configuration = configuration

    @property
    def _key_life(self) -> int:
        return self._configuration.settings.key_life_days * DAY_SECONDS * SECOND

    async def turn(self) -> Keyring:
        """Load, acknowledge what is new, and write only when something has to move."""
        loaded = await self._keys.reload()
        if await self._database.read(self._idle, loaded):
            return loaded
        await self._database.write(self._move, loaded)
        return await self._keys.reload()

    async def turn_counted(self, metrics: Metrics) -> None:
        loaded = await self.turn()
        ages: dict[str, list[float]] = defaultdict(list)
        for key in loaded.keys.values():
            ages[key.state].append((self._clock.now() - key.created_at) / SECOND)
        metrics.keys(ages, self._key_life / SECOND)

    def _idle(self, connection: Connection, loaded: Keyring) -> bool:
        now = self._clock.now()
        states = {key.state for key in loaded.keys.values()}
        over = any(key.expires_at is not None and key.expires_at < now for key in loaded.keys.values())
        return not (
            "pending" in states
            or "active" not in states
            or over
            or keyring.unacknowledged(connection, self._replica)
            or keyring.rotation_due(connection, now, self._key_life)
        )

    def _move(self, connection: Connection, loaded: Keyring) -> None:
        now = self._clock.now()
        keyring.hold(connection)
        keyring.acknowledge(connection, self._replica, loaded)
        if keyring.rotation_due(connection, now, self._key_life):
            kid = keyring.create(connection, self._master_key, now)
            audit.note(connection, now, Act(SCHEDULE, "create", "signing_key", kid))
        keyring.advance(connection, now)
