"""Everything that an operator pointed at, looked at once."""

import time
from dataclasses import dataclass, field, replace
from typing import Final

from mooring import __version__
from mooring.doctor.observations import Observations
from mooring.doctor.outside.harbor import Question, examine
from mooring.egress.client import Egress, Policy
from mooring.errors import Invalid

SOURCE: Final = "mooring doctor"


@dataclass(frozen=True)
class Wanted:
    question: Question = field(default_factory=Question)
    policy: Policy = field(default_factory=lambda: Policy(private=True))


async def gather(wanted: Wanted) -> Observations:
    """Raises Unavailable when nothing could be looked at, Invalid when nothing was named."""
    question = wanted.question
    if not question.entrance and not question.cores:
        raise Invalid("Nothing to look at. Give an address, --harbor, --core, --compose, --namespace or --bundle.")
    seen = Observations(made_at=time.time(), tool=f"mooring {__version__}", target=question.entrance)
    async with Egress(wanted.policy) as egress:
        asked, gaps = await examine(egress, question)
    return replace(seen, asked=asked, gaps=(*seen.gaps, *gaps))
