"""Work of the whole cluster: collection, sweeps.

Rows say what is due, so that it may be done by anybody, at any time, and again.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from mooring.errors import MooringError
from mooring.observe.metrics import Metrics

log = structlog.get_logger("mooring")


@dataclass(frozen=True)
class Work:
    name: str
    run: Callable[[], Awaitable[object]]
    seconds: Callable[[], float]
    """How long until it is looked for again. Read anew each time: it may be changed while serving."""

    async def attempt(self, metrics: Metrics) -> None:
        """A round that fails is logged, and leaves its rows to the next one."""
        try:
            await self.run()
        except MooringError as error:
            log.warning("work_failed", work=self.name, error=error.text)
            metrics.worked(self.name, "failed")
        except Exception:
            log.exception("work_failed", work=self.name)
            metrics.worked(self.name, "failed")
        else:
            metrics.worked(self.name, "done")
