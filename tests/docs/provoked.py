"""Each refusal, provoked over HTTP on a server of its own: what `docs/refusals.md` shows is what a client gets."""

import json
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import Connection, update

from mooring.access import keyring, tokens
from mooring.access.keyring import ALGORITHM
from mooring.access.scopes import Scope
from mooring.cli.opened import opened
from mooring.identity.tables import robots
from mooring.identity.throttle import LIMIT
from mooring.refusals import Reason
from tests.api import PASSWORD, Answer, Api, Role
from tests.server import Server

PULL: Final = "/v2/team/app/tags/list"
PUSH: Final = "/v2/team/app/blobs/uploads/"
LIFE: Final = 1800
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Site:
    """A server with a private project `team`: alice develops there, bob is a guest, carol nobody."""

    server: Server
    secrets: Mapping[str, str]
    """Of the robots ci, old (expired) and off (disabled)."""

    def ask(self, path: str, authorization: str | None = None, method: str = "GET") -> Answer:
        headers = {"Authorization": authorization} if authorization else {}
        request = urllib.request.Request(self.server.url + path, headers=headers, method=method)
        try:
            with _direct.open(request, timeout=60) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return Answer(refusal.code, refusal.headers, refusal.read())

    def robot(self, name: str) -> str:
        return basic(f"robot$team+{name}", self.secrets[name])

    def forged(self, *, key: ECKey | None = None, **changed: Any) -> str:
        """A token for alice as the registry makes them, but for what is changed."""
        with opened(None, self.server.data) as parts:
            ring, now = parts.database.read_now(keyring.load, parts.master_key), parts.clock.seconds()
        scope = Scope("repository", "team/app", ("pull", "push"))
        issued = tokens.issue(
            ring, subject="user:2", name="alice", audience="mooring", scopes=[scope], now=now, life=LIFE
        )
        claims = jwt.decode(issued, ring.signer.key, algorithms=[ALGORITHM]).claims
        # Times are given as seconds from now.
        claims |= {name: now + value if isinstance(value, int) else value for name, value in changed.items()}
        signer = key or ring.signer.key
        header = {"alg": ALGORITHM, "typ": "JWT", "kid": key.thumbprint() if key else ring.signer.kid}
        return f"Bearer {jwt.encode(header, claims, signer, algorithms=[ALGORITHM])}"


def basic(name: str, secret: str) -> str:
    return f"Basic {b64encode(f'{name}:{secret}'.encode()).decode()}"


def furnished(server: Server) -> Site:
    admin = Api(server.url, server.username, server.password)
    for name in ("alice", "bob", "carol"):
        body = {"username": name, "realname": name, "email": f"{name}@example.com", "password": PASSWORD}
        admin.call("POST", "/users", body)
    admin.call("POST", "/projects", {"project_name": "team", "metadata": {"public": "false"}})
    for name, role in (("alice", Role.DEVELOPER), ("bob", Role.GUEST)):
        admin.call("POST", "/projects/team/members", {"role_id": int(role), "member_user": {"username": name}})
    access = [{"resource": "repository", "action": action} for action in ("pull", "push")]
    permission = {"kind": "project", "namespace": "team", "access": access}
    secrets = {}
    for name in ("ci", "old", "off"):
        robot = {"name": name, "level": "project", "duration": 30, "permissions": [permission]}
        secrets[name] = admin.call("POST", "/robots", robot | {"disable": name == "off"}).json["secret"]
    with opened(None, server.data) as parts:
        # A robot lives a day at least: nothing over HTTP makes one that has expired.
        parts.database.write_now(_expire, "robot$team+old", parts.clock.now() - 1)
    return Site(server, secrets)


def _expire(connection: Connection, name: str, when: int) -> None:
    connection.execute(update(robots).where(robots.c.name == name).values(expires_at=when))


def locked(site: Site, name: str = "alice") -> Answer:
    wrong = basic(name, "wrong")
    with ThreadPoolExecutor(LIMIT) as pool:
        list(pool.map(lambda _: site.ask("/service/token", wrong), range(LIMIT)))
    return site.ask("/service/token", wrong)


def altered(token: str) -> str:
    """The same token with another payload under the old signature."""
    header, payload, signature = token.split(".")
    return ".".join((header, ("B" if payload[-2] == "A" else "A").join((payload[:-2], payload[-1])), signature))


def revoked(site: Site) -> Answer:
    admin = Api(site.server.url, site.server.username, site.server.password)
    user = admin.create_user("dora")
    token = json.loads(site.ask("/service/token", basic(user.name, user.password)).body)["token"]
    found = admin.call("GET", "/users", query={"q": f"username={user.name}"}).json
    admin.call("DELETE", f"/users/{found[0]['user_id']}")
    return site.ask(PULL, f"Bearer {token}")


PROVOCATIONS: Final[Mapping[Reason, Callable[[Site], Answer]]] = {
    Reason.AUTHENTICATION_REQUIRED: lambda site: site.ask(PUSH, method="POST"),
    Reason.BAD_CREDENTIALS: lambda site: site.ask("/service/token", basic("alice", "wrong")),
    Reason.LOCKED: locked,
    Reason.DISABLED: lambda site: site.ask("/service/token", site.robot("off")),
    Reason.CREDENTIALS_EXPIRED: lambda site: site.ask("/service/token", site.robot("old")),
    Reason.MALFORMED: lambda site: site.ask(PULL, "Bearer abc"),
    Reason.UNKNOWN_KID: lambda site: site.ask(PULL, site.forged(key=ECKey.generate_key("P-256"))),
    Reason.BAD_SIGNATURE: lambda site: site.ask(PULL, altered(site.forged())),
    Reason.EXPIRED: lambda site: site.ask(PULL, site.forged(exp=-61)),
    Reason.NOT_YET_VALID: lambda site: site.ask(PULL, site.forged(nbf=120)),
    Reason.WRONG_AUDIENCE: lambda site: site.ask(PULL, site.forged(aud="another-registry")),
    Reason.WRONG_ISSUER: lambda site: site.ask(PULL, site.forged(iss="somebody")),
    Reason.REVOKED: revoked,
    Reason.NO_PERMISSION: lambda site: site.ask(PUSH, basic("bob", PASSWORD), "POST"),
    Reason.NO_SUCH_PROJECT: lambda site: site.ask(
        "/v2/nosuch/app/blobs/uploads/", basic(site.server.username, site.server.password), "POST"
    ),
}
