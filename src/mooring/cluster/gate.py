"""Keeps a replica that is not one of the cluster's from judging anybody.

With another master key, another store or a schema that it does not know, it would refuse good pushes. It answers 503
instead, which clients try again, and `/readyz` says why.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from mooring.cluster.readiness import Readiness
from mooring.errors import ConfigurationError

OPEN = frozenset({"/livez", "/readyz", "/metrics"})


class Gate:
    def __init__(self, application: ASGIApp, readiness: Readiness) -> None:
        self._application = application
        self._readiness = readiness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wrong = self._readiness.wrong()
        if wrong and scope["type"] == "http" and scope["path"] not in OPEN:
            names = ", ".join(wrong)
            raise ConfigurationError(f"This replica of the registry is not ready ({names}). Another one may be.")
        await self._application(scope, receive, send)
