"""Keeps a replica that is not one of the cluster's from judging anybody.

With another master key, another store or a schema that it does not know, it would refuse good pushes. It answers 503
instead, which clients try again, and `/readyz` says why.

Only the first question of every client, `GET /v2/` without credentials, gets its usual answer. Docker takes any other
one, also 503, for a registry that knows no tokens, sends none to the replicas that answer next, and is told that it is
not logged in.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from mooring.cluster.readiness import Readiness
from mooring.errors import ConfigurationError

OPEN = frozenset({"/livez", "/readyz", "/metrics"})
FIRST = frozenset({"/v2", "/v2/"})


class Gate:
    def __init__(self, application: ASGIApp, readiness: Readiness, first: ASGIApp) -> None:
        """`first` answers the first question, by nothing that is kept in a database or a store."""
        self._application = application
        self._readiness = readiness
        self._first = first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wrong = self._readiness.wrong()
        if wrong and scope["type"] == "http" and scope["path"] not in OPEN:
            if _asks_first(scope):
                await self._first(scope, receive, send)
                return
            names = ", ".join(wrong)
            raise ConfigurationError(f"This replica of the registry is not ready ({names}). Another one may be.")
        await self._application(scope, receive, send)


def _asks_first(scope: Scope) -> bool:
    known = any(name == b"authorization" for name, _ in scope["headers"])
    return scope["path"] in FIRST and scope["method"] in ("GET", "HEAD") and not known
