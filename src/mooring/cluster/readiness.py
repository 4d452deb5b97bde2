"""What must hold for a replica to serve: looked at every second, answered from what was seen last."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog

from mooring.errors import ConfigurationError, MooringError

log = structlog.get_logger("mooring")

Check = Callable[[], Awaitable[object]]

PATIENCE_SECONDS = 2.0
STALE_SECONDS = 5.0


@dataclass(frozen=True)
class Failure:
    text: str
    wrong: bool
    """Whether this replica is not one of the cluster's, rather than cut off from a part of it."""


class Readiness:
    """Each check raises a MooringError with the reason in plain words."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._failed: Mapping[str, str] = {}
        self._wrong: Mapping[str, str] = {}
        self._looked_at = float("-inf")
        self.warnings: Mapping[str, str] = {}
        """What should be mended, and keeps nobody from serving."""
        self.seconds = dict.fromkeys(checks, 0.0)
        """How long each check took last."""

    async def look(self) -> None:
        results = await asyncio.gather(*(self._outcome(name) for name in self._checks))
        outcomes: dict[str, Failure | None] = {}
        for name, outcome in zip(self._checks, results, strict=True):
            # A wrong master key, say, fails the keyring too: what is wrong is said once.
            again = outcome is not None and outcome.wrong and outcome in outcomes.values()
            outcomes[name] = None if again else outcome
        self._failed = {name: outcome.text for name, outcome in outcomes.items() if outcome is not None}
        self._wrong = {
            name: outcome.text for name, outcome in outcomes.items() if outcome is not None and outcome.wrong
        }
        self._looked_at = time.monotonic()

    async def _outcome(self, name: str) -> Failure | None:
        began = time.perf_counter()
        try:
            return await _outcome(self._checks[name])
        finally:
            self.seconds[name] = time.perf_counter() - began

    def failures(self) -> Mapping[str, str]:
        """The failed checks by name; empty when the replica is ready."""
        age = time.monotonic() - self._looked_at
        if age > STALE_SECONDS:
            seen = "yet" if self._looked_at == float("-inf") else f"for {age:.0f} seconds"
            return {"checks": f"the checks have not run {seen}"}
        return self._failed

    def wrong(self) -> Mapping[str, str]:
        """Those of the failed checks that make this replica's judgement worthless."""
        return self._wrong


async def _outcome(check: Check) -> Failure | None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await check()
    except TimeoutError:
        return Failure(f"no answer within {PATIENCE_SECONDS:g} seconds", wrong=False)
    except MooringError as error:
        return Failure(error.text, wrong=isinstance(error, ConfigurationError))
    except Exception as error:
        log.exception("check_failed")
        return Failure(f"the check failed unexpectedly: {type(error).__name__}", wrong=False)
    return None
