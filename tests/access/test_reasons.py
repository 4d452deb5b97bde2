"""Each reason of the closed list, provoked on a real server: what is answered, what is counted, what is documented."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from mooring.cluster.clock import SECOND
from mooring.identity import robots
from mooring.refusals import Reason
from tests.access.backstage import Backstage, backstage
from tests.access.forgery import es256
from tests.access.verdicts import parameters
from tests.api import Api, Robot, unique
from tests.http.site import Headers, Reply, basic, bearer
from tests.http.wire import ask
from tests.server import Server

DOCS: Final = Path(__file__).parents[2] / "docs"
STRANGER: Final = ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True)
class Scene:
    server: Server
    admin: Api
    behind: Backstage
    project: str

    def pull(self, *headers: tuple[str, str], repository: str = "") -> Reply:
        return ask(self.server.url, "GET", f"/v2/{repository or self.project + '/app'}/manifests/latest", headers)

    def forged(self, header: dict[str, Any] | None = None, **claims: Any) -> Reply:
        access = [{"type": "repository", "name": f"{self.project}/app", "actions": ["pull"]}]
        return self.pull(bearer(self.behind.token(header=header, **{"access": access, **claims})))

    def seconds(self, more: int) -> int:
        return self.behind.now // 1_000_000 + more

    def robot(self) -> Robot:
        return self.admin.create_robot(self.project, ["pull"], days=1)

    def token(self, headers: Headers) -> str:
        scope = f"repository:{self.project}/app:pull"
        return str(ask(self.server.url, "GET", f"/service/token?scope={scope}", headers).json["token"])


def locked(scene: Scene) -> Reply:
    """Many at once: one after the other, their waits would add up."""
    name = unique("locked")
    with ThreadPoolExecutor(24) as crowd:
        replies = list(crowd.map(lambda number: scene.pull(basic(name, f"wrong-{number % 3}")), range(24)))
    return next(reply for reply in replies if reply.status == 429)


def disabled(scene: Scene) -> Reply:
    robot = scene.robot()
    token = scene.token([basic(robot.name, robot.password)])
    scene.admin.disable_robot(robot)
    assert scene.pull(basic(robot.name, robot.password)).reason == "disabled"
    return scene.pull(bearer(token))


def expired_robot(scene: Scene) -> Reply:
    robot = scene.robot()
    scene.behind.write(robots.change, scene.behind.now, robot.id, {"expires_at": scene.behind.now - 10 * SECOND})
    return scene.pull(basic(robot.name, robot.password))


def revoked(scene: Scene) -> Reply:
    robot = scene.robot()
    token = scene.token([basic(robot.name, robot.password)])
    scene.admin.delete_robot(robot)
    assert scene.pull(basic(robot.name, robot.password)).reason == "bad_credentials"
    return scene.pull(bearer(token))


def no_permission(scene: Scene) -> Reply:
    outsider = scene.admin.create_user()
    return scene.pull(basic(outsider.name, outsider.password))


PROVOKED: Final[dict[Reason, Callable[[Scene], Reply]]] = {
    Reason.AUTHENTICATION_REQUIRED: lambda scene: scene.pull(),
    Reason.BAD_CREDENTIALS: lambda scene: scene.pull(basic(unique("nobody"), "wrong")),
    Reason.LOCKED: locked,
    Reason.DISABLED: disabled,
    Reason.CREDENTIALS_EXPIRED: expired_robot,
    Reason.MALFORMED: lambda scene: scene.pull(bearer("no-token")),
    Reason.UNKNOWN_KID: lambda scene: scene.forged({"kid": "made-up"}),
    Reason.BAD_SIGNATURE: lambda scene: scene.pull(bearer(scene.behind.token(es256(STRANGER)))),
    Reason.EXPIRED: lambda scene: scene.forged(exp=scene.seconds(-120)),
    Reason.NOT_YET_VALID: lambda scene: scene.forged(nbf=scene.seconds(120)),
    Reason.WRONG_AUDIENCE: lambda scene: scene.forged(aud="harbor-registry"),
    Reason.WRONG_ISSUER: lambda scene: scene.forged(iss="harbor-token-issuer"),
    Reason.REVOKED: revoked,
    Reason.NO_PERMISSION: no_permission,
    Reason.NO_SUCH_PROJECT: lambda scene: scene.pull(
        basic(scene.server.username, scene.server.password), repository=f"{unique('missing')}/app"
    ),
}

ANSWERS: Final[dict[Reason, tuple[int, str, str | None]]] = {
    Reason.AUTHENTICATION_REQUIRED: (401, "UNAUTHORIZED", ""),
    Reason.BAD_CREDENTIALS: (401, "UNAUTHORIZED", ""),
    Reason.LOCKED: (429, "TOOMANYREQUESTS", None),
    Reason.DISABLED: (401, "UNAUTHORIZED", "invalid_token"),
    Reason.CREDENTIALS_EXPIRED: (401, "UNAUTHORIZED", "invalid_token"),
    Reason.MALFORMED: (401, "UNAUTHORIZED", "invalid_token"),
    Reason.UNKNOWN_KID: (401, "UNAUTHORIZED", "invalid_token"),
    Reason.BAD_SIGNATURE: (401, "UNAUTHORIZED", "invalid_token"),
    Reason.EXPIRED: (401, "UNAUTHORIZED", "invalid_token"),
    Reason.NOT_YET_VALID: (401, "UNAUTHORIZED", "invalid_token"),
    Reason.WRONG_AUDIENCE: (401, "UNAUTHORIZED", "invalid_token"),
    Reason.WRONG_ISSUER: (401, "UNAUTHORIZED", "invalid_token"),
    Reason.REVOKED: (401, "UNAUTHORIZED", "invalid_token"),
    Reason.NO_PERMISSION: (403, "DENIED", None),
    Reason.NO_SUCH_PROJECT: (404, "NAME_UNKNOWN", None),
}
"""Status, code and the `error` of the Bearer challenge; None stands for no challenge."""


@pytest.fixture(scope="module")
def scene(server: Server, admin: Api) -> Iterator[Scene]:
    with backstage(server.data) as behind:
        yield Scene(server, admin, behind, admin.create_project("reasons"))


def test_every_reason_is_tried() -> None:
    assert set(PROVOKED) == set(ANSWERS) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_says_why(scene: Scene, reason: Reason) -> None:
    before = counted(scene.server)[reason]
    reply = PROVOKED[reason](scene)
    status, code, error = ANSWERS[reason]
    assert (reply.status, reply.code, reply.reason) == (status, code, reason)
    detail = reply.error["detail"]
    assert set(detail) == {"reason", "request_id", "replica", "explanation"}
    assert detail["request_id"] == reply.header("x-request-id")
    assert re.fullmatch(r".+/\d+-[0-9a-f]{6}", detail["replica"])
    for told in (detail["explanation"], f"reason: {reason}", f"request: {detail['request_id']}"):
        assert told in reply.error["message"]  # Docker prints nothing else
    assert (reply.challenge == "") == (error is None)
    assert parameters(reply.challenge).get("error", "") == (error or "")
    assert (reply.header("retry-after") is not None) == (status == 429)
    assert reply.header("cache-control") == "no-store"
    assert counted(scene.server)[reason] > before


def test_every_reason_is_a_metric_from_the_start(scene: Scene) -> None:
    assert set(counted(scene.server)) == set(Reason)


def test_a_request_keeps_the_id_that_it_came_with(scene: Scene) -> None:
    reply = scene.pull(("x-request-id", "from-the-proxy.1"))
    assert reply.header("x-request-id") == reply.error["detail"]["request_id"] == "from-the-proxy.1"


@pytest.mark.parametrize("name", ["refusals.md", "refusals.zh-CN.md"])
def test_every_reason_is_documented(name: str) -> None:
    headings = [line for line in (DOCS / name).read_text().splitlines() if line.startswith("#")]
    missing = [reason for reason in Reason if not any(re.search(rf"\b{reason}\b", line) for line in headings)]
    assert not missing


def counted(server: Server) -> dict[str, float]:
    """Refusals by reason, over all replicas."""
    found: dict[str, float] = {}
    for line in ask(server.url, "GET", "/metrics").body.decode().splitlines():
        if match := re.fullmatch(r'mooring_refusals_total\{.*\breason="(\w+)".*\} (\S+)', line):
            found[match[1]] = found.get(match[1], 0.0) + float(match[2])
    return found
