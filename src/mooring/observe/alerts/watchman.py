"""The cluster's own watchman: looks at what the database knows, and tells people. One process at a time."""

import asyncio
from collections.abc import Sequence

import structlog

from mooring.cluster import identity
from mooring.cluster.clock import Clock
from mooring.cluster.configuration import Configuration
from mooring.database import Database
from mooring.observe.alerts import channels, notices, state
from mooring.observe.alerts.channels import Undelivered
from mooring.observe.alerts.conditions import Moment, Source
from mooring.observe.alerts.forms import Sender, sender_of
from mooring.observe.alerts.notices import Notice

log = structlog.get_logger("mooring")


class Watchman:
    def __init__(
        self, database: Database, clock: Clock, configuration: Configuration, sources: Sequence[Source]
    ) -> None:
        self._database = database
        self._clock = clock
        self._configuration = configuration
        self._sources = sources

    @property
    def seconds(self) -> float:
        return self._configuration.settings.alert_interval_seconds

    async def turn(self) -> None:
        await self.look()
        await self.deliver()

    async def look(self) -> None:
        settings = self._configuration.settings
        moment = Moment(self._clock.now(), settings)
        # Read apart, so that a long look keeps no writer waiting.
        found = await self._database.read(state.find, moment, self._sources)
        lasting = await self._database.read(state.active)
        if found or lasting:
            await self._database.write(state.note, moment, found, channels.configured(settings))

    async def deliver(self) -> None:
        """What is due. A notice that does not come through keeps no other one back."""
        taken = await self._database.write(notices.take, self._clock.now())
        if taken:
            sender = await self.sender()
            await asyncio.gather(*(self._deliver(notice, sender) for notice in taken))

    async def sender(self) -> Sender:
        return sender_of(await self._database.read(identity.cluster_id), self._configuration.settings)

    async def _deliver(self, notice: Notice, sender: Sender) -> None:
        try:
            await channels.send(notice, sender, self._configuration.settings)
        except Undelivered as error:
            over = await self._database.write(notices.failed, self._clock.now(), notice, str(error))
            log.warning("alert_undelivered", channel=notice.channel, error=str(error), given_up=over)
            return
        await self._database.write(notices.delivered, notice.id)
