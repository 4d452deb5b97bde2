"""What must hold for a replica to serve, asked by name."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from mooring.errors import MooringError

Check = Callable[[], Awaitable[None]]
TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True)
class Readiness:
    checks: Mapping[str, Check] = field(default_factory=dict)

    async def failures(self) -> dict[str, str]:
        """The failed checks, each with its reason in plain words."""
        results = await asyncio.gather(*(self._run(check) for check in self.checks.values()))
        return {name: text for name, text in zip(self.checks, results, strict=True) if text is not None}

    async def _run(self, check: Check) -> str | None:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await check()
        except TimeoutError:
            return f"no answer within {TIMEOUT_SECONDS:g} seconds"
        except MooringError as error:
            return error.text
        return None
