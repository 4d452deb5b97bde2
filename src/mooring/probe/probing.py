"""Pushes over every pair of endpoints, as often as is asked for."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from mooring.egress.client import Egress, Policy
from mooring.egress.credentials import Credentials
from mooring.errors import Unavailable
from mooring.probe.authority import Holder, Place, learn, place
from mooring.probe.push import Pusher, Run, pairs

REPOSITORY: Final = "library/mooring-probe"


@dataclass(frozen=True)
class Plan:
    """`endpoints` are tried in all pairs; with none, `url` itself is. `count` rounds, `interval_seconds` apart, ended
    early by `max_failures` failed pushes (0: never)."""

    url: str
    endpoints: tuple[str, ...] = ()
    repository: str = REPOSITORY
    credentials: Credentials | None = None
    count: int = 1
    interval_seconds: float = 0
    max_failures: int = 0
    realms: tuple[str, ...] = ()
    """Origins of token services on other hosts that may be given the credentials."""
    own: tuple[str, ...] = ()
    """Further origins of the registry itself."""
    chosen: tuple[tuple[str, str], ...] = ()
    """Pairs to try instead of all."""

    @property
    def pairs(self) -> Sequence[tuple[str, str]]:
        return self.chosen or pairs(self.endpoints or (self.url,))

    @property
    def places(self) -> frozenset[Place]:
        """Where the registry is."""
        known = (self.url, *self.endpoints, *self.own, *(each for pair in self.pairs for each in pair))
        return frozenset(place(urlsplit(each)) for each in known)


async def probe(plan: Plan, policy: Policy, seen: Callable[[Run], None]) -> None:
    """`seen` is given each push as it ends.

    Raises Unavailable when nothing could be tried: no answer, or no token for anybody.
    """
    runs: list[Run] = []
    async with Egress(policy) as egress:
        authority = await learn(egress, plan.url, plan.realms, plan.own)
        for turn in range(plan.count):
            if turn:
                await asyncio.sleep(plan.interval_seconds)
            for issuer, other in plan.pairs:
                # A token of its own for each push, as for each job.
                holder = Holder(egress, authority, plan.credentials)
                run = await Pusher(egress, holder, issuer, other, plan.repository, plan.places).run()
                runs.append(run)
                seen(run)
                if plan.max_failures and sum(run.fault is not None for run in runs) >= plan.max_failures:
                    return
    if all(run.fault is not None and run.fault.name == "token" for run in runs):
        fault = runs[0].fault
        raise Unavailable(f"No endpoint gives a token: {fault.fault if fault else ''}")
