"""Work of the whole cluster: collection, sweeps.

Rows say what is due, so that it may be done by anybody, at any time, and again.
"""

import time
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
        began = time.monotonic()
        outcome = "failed"
        try:
            await self.run()
        except MooringError as error:
            log.warning("work_failed", work=self.name, error=error.text)
        except Exception:
            log.exception("work_failed", work=self.name)
        else:
            outcome = "done"
        metrics.worked(self.name, outcome, time.monotonic() - began)
