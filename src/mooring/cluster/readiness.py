"""What must hold for a replica to serve: looked at every second, answered from what was seen last."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from mooring.errors import MooringError

Check = Callable[[], Awaitable[None]]

PATIENCE_SECONDS = 2.0
STALE_SECONDS = 5.0


class Readiness:
    """Each check raises a MooringError with the reason in plain words."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._failed: Mapping[str, str] = {}
        self._looked_at = float("-inf")

    async def look(self) -> None:
        results = await asyncio.gather(*(_reason(check) for check in self._checks.values()))
        found = {name: text for name, text in zip(self._checks, results, strict=True) if text is not None}
        self._failed, self._looked_at = MappingProxyType(found), time.monotonic()

    def failures(self) -> Mapping[str, str]:
        """The failed checks by name; empty when the replica is ready."""
        age = time.monotonic() - self._looked_at
        if age > STALE_SECONDS:
            seen = "yet" if self._looked_at == float("-inf") else f"for {age:.0f} seconds"
            return {"checks": f"the checks have not run {seen}"}
        return self._failed


async def _reason(check: Check) -> str | None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await check()
    except TimeoutError:
        return f"no answer within {PATIENCE_SECONDS:g} seconds"
    except MooringError as error:
        return error.text
    return None
