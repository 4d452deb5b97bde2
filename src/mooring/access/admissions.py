"""Who was allowed to pull from where, found by the Authorization header as it came.

What is kept was granted by `Callers` and the `Authorizer`, and is good for as long as what they went by: no account,
membership or project has changed (the epoch), neither the token nor the account has expired. Refusals are never kept.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from mooring.access.caller import Caller
from mooring.access.epoch import Epoch
from mooring.access.standing import Standing
from mooring.cluster.clock import SECOND, Clock

REMEMBERED = 20_000
Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Admission:
    standing: Standing
    epoch: int
    until: int | None
    """Cluster time."""


class Admissions:
    def __init__(self, epoch: Epoch, clock: Clock) -> None:
        self._epoch = epoch
        self._clock = clock
        self._remembered: OrderedDict[tuple[bytes, str], Admission] = OrderedDict()

    def as_of(self) -> int | None:
        """To be asked before what is kept is looked up: what was granted may be older than the epoch of now."""
        return self._epoch.current()

    def keep(self, headers: Headers, repository: str, caller: Caller, standing: Standing, epoch: int | None) -> None:
        """The caller may pull from the repository, as was found since `as_of` told the epoch."""
        proofs = [value for field, value in headers if field == b"authorization"]
        if epoch is None or (proofs and caller.token is None):
            # A password is proven each time, by its own rules.
            return
        ends = [standing.until, caller.token.expires_at * SECOND if caller.token else None]
        until = min((each for each in ends if each is not None), default=None)
        self._remembered[_key(proofs[0] if proofs else b"", repository)] = Admission(standing, epoch, until)
        while len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)

    def find(self, authorization: bytes, repository: str) -> Standing | None:
        found = self._remembered.get(_key(authorization, repository))
        if found is None or found.epoch != self._epoch.current():
            return None
        return found.standing if found.until is None or found.until > self._clock.now() else None


def _key(authorization: bytes, repository: str) -> tuple[bytes, str]:
    """Secrets are not kept longer than their requests."""
    return hashlib.sha256(authorization).digest() if authorization else b"", repository
