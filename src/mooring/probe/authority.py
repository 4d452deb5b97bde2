"""How a registry wants its callers to prove who they are, and where credentials may go for that."""

import json
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, urlsplit

from mooring.egress.client import Egress, Reply
from mooring.egress.credentials import Credentials, token_request
from mooring.errors import Invalid, Unavailable

PORTS: Final = {"http": 80, "https": 443}
Place = tuple[str, str | None, int | None]
"""Scheme, host and port."""
PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Authority:
    """`scheme` is `none`, `basic` or `bearer`. `fixed` is the origin of a token service on another host; else each
    endpoint is asked for tokens itself."""

    scheme: str
    path: str = ""
    service: str = ""
    fixed: str = ""


@dataclass(frozen=True)
class Holder:
    """Proves who asks. Tokens stay in memory."""

    egress: Egress
    authority: Authority
    credentials: Credentials | None
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)

    async def header(self, issuer: str, scopes: tuple[str, ...]) -> tuple[str | None, Reply | None]:
        """The Authorization for a request, by a token that `issuer` gave; or the answer of the token endpoint that gave
        none."""
        if self.authority.scheme == "none":
            return None, None
        if self.authority.scheme == "basic":
            return (self.credentials.header if self.credentials else None), None
        key = (issuer, " ".join(scopes))
        if key not in self.tokens:
            wanted = token_request(self.credentials, self.authority.service, scopes)
            url = f"{self.authority.fixed or issuer}{self.authority.path}{wanted.query}"
            reply = await self.egress.ask(wanted.method, url, headers=wanted.headers, body=wanted.body)
            token = _token(reply)
            if token is None:
                return None, reply
            self.tokens[key] = token
        return f"Bearer {self.tokens[key]}", None

    def forget(self) -> None:
        self.tokens.clear()


async def learn(egress: Egress, url: str, allowed: tuple[str, ...], own: tuple[str, ...] = ()) -> Authority:
    """Asks `url` without credentials. `own` are further origins of the same registry: its endpoints give tokens.

    Raises Unavailable when it does not answer as a registry, Invalid when its tokens come from another host that was
    not allowed.
    """
    reply = await egress.ask("GET", f"{url}/v2/")
    if reply.status == 200:
        return Authority("none")
    challenge = reply.header("www-authenticate") or ""
    if reply.status != 401 or not challenge:
        what = reply.trouble or str(reply.status)
        raise Unavailable(f"{url}/v2/ is not a registry's: {what} {reply.detail}".strip())
    if challenge.lower().startswith("basic"):
        return Authority("basic")
    found = dict(PARAMETER.findall(challenge))
    asked = urlsplit(url)
    try:
        realm = urlsplit(found.get("realm", ""))
        at_home = place(realm) in {place(asked), *(place(urlsplit(each)) for each in own)}
    except ValueError as error:
        raise Unavailable(f"{url} names a token service that has no address: {challenge}") from error
    origin = f"{realm.scheme}://{realm.netloc}"
    if at_home:
        return Authority("bearer", realm.path, found.get("service", ""))
    safe = realm.scheme == "https" or asked.scheme == "http"
    if origin not in allowed and not (safe and realm.hostname == asked.hostname):
        raise Invalid(f"{url} gives tokens at {origin}. To send credentials there, give --allow-realm {origin}.")
    return Authority("bearer", realm.path, found.get("service", ""), fixed=origin)


def place(parts: SplitResult) -> Place:
    """Raises ValueError for a port that is none."""
    return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme)


def _token(reply: Reply) -> str | None:
    try:
        found = json.loads(reply.body) if reply.status == 200 else {}
        return found.get("token") or found.get("access_token") or None
    except (ValueError, AttributeError):
        return None
