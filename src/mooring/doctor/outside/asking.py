"""One question of one door."""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mooring.doctor.observations import Answer, Grant
from mooring.doctor.outside.tokens import decoded
from mooring.egress.client import Egress, Reply
from mooring.egress.credentials import Credentials, token_request

KEPT: Final = frozenset(
    {
        "www-authenticate",
        "location",
        "date",
        "server",
        "retry-after",
        "x-total-count",
        "x-harbor-csrf-token",
        "x-request-id",
    }
)
BODY_KEPT: Final = 2000
SERVICE: Final = "harbor-registry"


HURRIED_SECONDS: Final = ((8, 0.0), (4, 2.0), (2, 5.0))
"""After so many answers that did not come, how long the next one is waited for; in the end nothing more is asked."""


@dataclass(frozen=True)
class Line:
    """A way to one door. Nothing is ever sent to another origin than `url`.

    A door that hangs is not waited for again and again: see `HURRIED_SECONDS`.
    """

    egress: Egress
    url: str
    missed: list[str] = field(default_factory=list)
    """Questions that were not answered in time."""

    async def ask(
        self,
        method: str,
        path: str,
        *,
        authorization: str | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
    ) -> Reply:
        """`path` starts at the origin, with its query."""
        assert path.startswith("/")
        sent = dict(headers or {})
        if authorization is not None:
            sent["authorization"] = authorization
        body = content if method in {"POST", "PUT", "PATCH"} else None
        seconds = self._patience()
        if seconds == 0:
            return Reply(0, (), b"", time.time(), 0, "skipped", f"{len(self.missed)} answers had not come")
        reply = await self.egress.ask(
            method, self.url + path, headers=sent, body=body, limit=1 << 20, timeout_seconds=seconds
        )
        if reply.trouble == "timeout":
            self.missed.append(f"{method} {path.partition('?')[0]}")
        return reply

    def _patience(self) -> float | None:
        return next((seconds for times, seconds in HURRIED_SECONDS if len(self.missed) >= times), None)

    async def look(
        self, method: str, path: str, *, authorization: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        return answer(await self.ask(method, path, authorization=authorization, headers=headers))

    async def token(
        self, scopes: Iterable[str] = (), credentials: Credentials | None = None
    ) -> tuple[Grant, str | None]:
        """What the token endpoint answers, and the token itself, which goes no further than the next question."""
        wanted = token_request(credentials, SERVICE, scopes)
        path = f"/service/token{wanted.query}"
        reply = await self.ask(wanted.method, path, headers=wanted.headers, content=wanted.body or b"")
        token, claims = decoded(reply.body) if reply.status == 200 else (None, None)
        return Grant(answer(reply, body=reply.status != 200), claims), token


def answer(reply: Reply, *, body: bool = True) -> Answer:
    headers = {name.lower(): value for name, value in reply.headers if name.lower() in KEPT}
    text = reply.body[:BODY_KEPT].decode("utf-8", "replace") if body else ""
    return Answer(
        reply.status, reply.seconds, reply.started + reply.seconds / 2, headers, text, reply.trouble, reply.detail
    )


def content(reply: Reply) -> Any:
    """The JSON of an answer; None when it is none."""
    try:
        return json.loads(reply.body) if reply.status == 200 else None
    except (ValueError, RecursionError):
        return None
