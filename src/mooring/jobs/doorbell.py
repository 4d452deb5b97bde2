"""The work of a cluster on PostgreSQL: Procrastinate rings for it, and one process at a time answers.

A job of Procrastinate holds nothing but the name of a work. One that is lost, or rung twice, loses nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import structlog
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.worker import Worker
from psycopg.errors import RaiseException

from mooring.cluster.clock import SECOND, Clock
from mooring.jobs.work import Work
from mooring.observe.metrics import Metrics

log = structlog.get_logger("mooring")

QUEUE = "mooring"
MOST_CONNECTIONS = 3
"""And one that listens."""
CONNECTION_SECONDS = 5.0
AT_ONCE = 4
"""Collection and a probe may take minutes; alerts do not wait for them."""
ROUND_SECONDS = 2.0
HEARTBEAT_SECONDS = 3.0
LOST_SECONDS = 12.0
"""A worker that was not heard of for so long is taken for dead, and its work is rung for again."""
END_SECONDS = 10.0
RESTART_SECONDS = 2.0
RUNG = 1
"""The priority of what is rung for now: what is only scheduled waits behind it."""


class Doorbell:
    """`parameters` are libpq's, of the database that has the schema."""

    def __init__(self, works: Sequence[Work], metrics: Metrics, parameters: Mapping[str, Any], clock: Clock) -> None:
        self._works = {work.name: work for work in works}
        self._metrics = metrics
        self._parameters = parameters
        self._clock = clock
        # What ends a worker, or fails in a work, is logged here, once.
        for name in ("procrastinate", "psycopg.pool"):
            logging.getLogger(name).setLevel(logging.CRITICAL)

    async def run(self) -> None:
        """Until it is cancelled; what is under way then has some seconds to end."""
        while True:
            try:
                await self._answer()
            except Exception as error:
                # Where the database is away, an ordered end may fail as well: that must not undo the cancelling.
                if _cancelled():
                    raise asyncio.CancelledError from error
                log.warning("work_interrupted", error=str(error) or type(error).__name__, cause=repr(error.__cause__))
            await asyncio.sleep(RESTART_SECONDS)

    async def _answer(self) -> None:
        # A new one each time: a pool that could not be opened stays closed.
        app = self._app()
        async with app.open_async():
            for work in self._works.values():
                await _ring(app, work.name)
            await _Answering(app, partial(self._round, app)).run()  # type: ignore[no-untyped-call]

    def _app(self) -> App:
        connector = PsycopgConnector(
            kwargs=dict(self._parameters), min_size=1, max_size=MOST_CONNECTIONS, timeout=CONNECTION_SECONDS
        )
        app = App(connector=connector)
        for work in self._works.values():
            app.task(name=work.name, queue=QUEUE, lock=work.name)(partial(work.attempt, self._metrics))
        return app

    async def _round(self, app: App) -> None:
        """Put each work on the schedule, and ring for what its worker died over."""
        for job in await app.job_manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=LOST_SECONDS):
            log.warning("worker_lost", work=job.task_name)
            with suppress(ConnectorException):  # another process was faster
                await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)
            await _ring(app, job.task_name)
        # Procrastinate would refuse a second one, but by an error in PostgreSQL's log every time.
        waiting = await app.job_manager.list_jobs_async(queue=QUEUE, status=Status.TODO.value)
        scheduled = {job.queueing_lock for job in waiting}
        for work in self._works.values():
            if work.name in scheduled:
                continue
            # By cluster time: Procrastinate's own schedule goes by the wall clock, and stands still for hours
            # after one that was ahead is put right.
            at = datetime.fromtimestamp(self._clock.now() / SECOND, UTC) + timedelta(seconds=work.seconds())
            await _defer(app, work.name, work.name, schedule_at=at)


class _Answering(Worker):
    """Procrastinate's worker, but for two of its parts that lose track where the database is away for a moment."""

    def __init__(self, app: App, schedule: Callable[[], Awaitable[None]]) -> None:
        super().__init__(
            app,
            queues=[QUEUE],
            concurrency=AT_ONCE,
            fetch_job_polling_interval=ROUND_SECONDS,
            shutdown_graceful_timeout=END_SECONDS,
            delete_jobs="always",
            install_signal_handlers=False,
            update_heartbeat_interval=HEARTBEAT_SECONDS,
            stalled_worker_timeout=LOST_SECONDS,
        )
        self._schedule = schedule
        self._unfinished: list[Job] = []

    async def _periodic_deferrer(self) -> None:
        """In the place of its schedule, which ends at once where it has nothing on it: with it ends the watch over
        the heartbeat and the listener, and a worker whose heartbeat failed would work on unseen.
        """
        while True:
            await self._finish()
            await self._schedule()
            await asyncio.sleep(ROUND_SECONDS)

    async def _persist_job_status(self, job: Job, *arguments: Any, **outcome: Any) -> None:
        """A job whose end can't be noted would hold its lock for as long as this process lives."""
        try:
            await super()._persist_job_status(job, *arguments, **outcome)
        except ConnectorException:
            self._unfinished.append(job)

    async def _finish(self) -> None:
        while self._unfinished:
            try:
                await self.app.job_manager.finish_job(self._unfinished[0], Status.FAILED, delete_job=True)
            except ConnectorException as error:
                if not isinstance(error.__cause__, RaiseException):  # it is not there any more
                    raise
            del self._unfinished[0]


async def _ring(app: App, work: str) -> None:
    """Have a work done now, or once more after the one that is under way."""
    await _defer(app, work, f"{work}, now", priority=RUNG)


async def _defer(app: App, work: str, queueing_lock: str, **options: Any) -> None:
    with suppress(AlreadyEnqueued):
        await app.configure_task(work, queueing_lock=queueing_lock, **options).defer_async()


def _cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
