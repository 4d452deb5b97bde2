"""A push by docker refused for each reason: what docker prints, what the log and the metric have, what `explain` says.

`python -m tests.clients.refused` writes what a run printed into `docs/refusals.md` and its translation.
"""

import json
import re
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from joserfc.jwk import ECKey
from typer.testing import CliRunner

from mooring.cli.main import application
from mooring.refusals import Reason
from tests import server as servers
from tests.api import PASSWORD, Api
from tests.clients import engine
from tests.clients.client import shell_in
from tests.clients.docker import Docker
from tests.clients.engine import Engine
from tests.docs.generated import DOCS
from tests.docs.provoked import Site, altered, basic, furnished, locked
from tests.images import build_image
from tests.programs import Refused

PAGES: Final = (DOCS / "refusals.md", DOCS / "refusals.zh-CN.md")
Login = Mapping[str, str]
"""What docker keeps for one registry."""


@dataclass(frozen=True)
class Scene:
    site: Site
    docker: Docker

    def push(self, reason: Reason, login: Login) -> str:
        """What docker prints, who pushes with these credentials."""
        reference = self.docker.reference("nosuch/app" if reason is Reason.NO_SUCH_PROJECT else "team/app", "1")
        settings = self.docker.shell.directory()
        (settings / "config.json").write_text(json.dumps({"auths": {self.docker.registry: dict(login)}}))
        try:
            printed = self.docker.run("--config", settings, "push", reference)
        except Refused as refused:
            return f"$ docker push {reference}\n{refused.output.splitlines()[-1]}"
        raise AssertionError(f"docker was not refused: {printed}")

    def pushes(self) -> Mapping[Reason, str]:
        """One refused push for each reason, one after the other: the engine joins what goes to one repository."""
        return {reason: self.push(reason, LOGINS[reason](self.site)) for reason in Reason}


def with_password(name: str, secret: str) -> Login:
    return {"auth": b64encode(f"{name}:{secret}".encode()).decode()}


def with_token(authorization: str) -> Login:
    return {"registrytoken": authorization.removeprefix("Bearer ")}


def after_many(site: Site) -> Login:
    locked(site, "carol")
    return with_password("carol", "wrong")


def of_one_who_left(site: Site) -> Login:
    admin = Api(site.server.url, site.server.username, site.server.password)
    body = {"username": "dora", "realname": "dora", "email": "dora@example.com", "password": PASSWORD}
    created = admin.call("POST", "/users", body).headers["location"]
    token = json.loads(site.ask("/service/token", basic("dora", PASSWORD)).body)["token"]
    admin.call("DELETE", f"/users/{created.rpartition('/')[2]}")
    return {"registrytoken": token}


LOGINS: Final[Mapping[Reason, Callable[[Site], Login]]] = {
    Reason.AUTHENTICATION_REQUIRED: lambda _: {},
    Reason.BAD_CREDENTIALS: lambda _: with_password("alice", "wrong"),
    Reason.LOCKED: after_many,
    Reason.DISABLED: lambda site: with_password("robot$team+off", site.secrets["off"]),
    Reason.CREDENTIALS_EXPIRED: lambda site: with_password("robot$team+old", site.secrets["old"]),
    Reason.MALFORMED: lambda _: {"registrytoken": "abc"},
    Reason.UNKNOWN_KID: lambda site: with_token(site.forged(key=ECKey.generate_key("P-256"))),
    Reason.BAD_SIGNATURE: lambda site: with_token(altered(site.forged())),
    Reason.EXPIRED: lambda site: with_token(site.forged(iat=-3600, nbf=-3600, exp=-1800)),
    Reason.NOT_YET_VALID: lambda site: with_token(site.forged(iat=600, nbf=600, exp=2400)),
    Reason.WRONG_AUDIENCE: lambda site: with_token(site.forged(aud="another-registry")),
    Reason.WRONG_ISSUER: lambda site: with_token(site.forged(iss="somebody")),
    Reason.REVOKED: of_one_who_left,
    Reason.NO_PERMISSION: lambda _: with_password("bob", PASSWORD),
    Reason.NO_SUCH_PROJECT: lambda site: with_password(site.server.username, site.server.password),
}


@contextmanager
def scene(started: Engine) -> Iterator[Scene]:
    # A short path, as for the clients.
    with tempfile.TemporaryDirectory(prefix="mooring-", ignore_cleanup_errors=True) as place:
        server = servers.start(Path(place) / "data", workers=1)
        try:
            docker = Docker(shell_in(Path(place) / "docker", server.address), server.address, started)
            image = build_image(Path(place) / "image", "refused")
            for repository in ("team/app", "nosuch/app"):
                docker.load(image, docker.reference(repository, "1"))
            yield Scene(furnished(server), docker)
        finally:
            server.kill()


def shown(scene: Scene, reason: Reason, pushed: str) -> str:
    """What the page has of one reason, as a run printed it."""
    found = re.search(r"request: (\w+)\)", pushed)
    assert found, pushed
    metrics = scene.site.ask("/metrics").body.decode()
    (counted,) = (line for line in metrics.splitlines() if re.match(rf'mooring_refusals_total{{.*"{reason}"', line))
    lines = [
        pushed,
        f"$ mooring denials --request-id {found[1]}",
        kept(scene.site, found[1]),
        f"$ curl -s http://{scene.docker.registry}/metrics | grep 'refusals_total.*{reason}'",
        counted,
        f"$ mooring explain {found[1]}",
        mooring(scene.site, "explain", found[1]),
    ]
    return "\n".join(lines)


def kept(site: Site, number: str) -> str:
    """The log's entry, once it is written."""
    end = time.monotonic() + 30
    while True:
        printed = mooring(site, "denials", "--request-id", number)
        if number in printed:
            return printed
        assert time.monotonic() < end, f"the refusal {number} is not in the log"
        time.sleep(0.1)


def mooring(site: Site, *arguments: str) -> str:
    done = CliRunner().invoke(application, [*arguments, "--data", str(site.server.data)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout.strip()


def tidied(text: str, port: int) -> str:
    """Without what belongs to the machine of the run."""
    text = re.sub(rf"127\.0\.0\.1:{port}\b", "127.0.0.1:5000", text)
    text = re.sub(rf"[\w.-]+:{port}\b", "vm:5000", text)
    return re.sub(r"(docker/\S+) .*", r"\1 …", text)


def masked(text: str) -> str:
    """Without what differs between two runs."""
    for pattern, sign in MASKS:
        text = re.sub(pattern, sign, text)
    return text


MASKS: Final[tuple[tuple[str, str], ...]] = (
    (r"\b[0-9a-f]{16}\b", "NUMBER"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
    (r"\b\d+ s ago", "N s ago"),
    (r"/\d+-[0-9a-f]{6}\b", "/PROCESS"),
    (r"docker/\d\S+", "docker/VERSION"),
    (r"[\w-]{43}(?=[,.])", "KID"),
    (r"(?m)\} [\d.]+$", "} COUNT"),
    (r"within five minutes: \d+", "within five minutes: N"),
    (r"\b\d+ (s|min|h) (before|after) the request", "SPAN \\2 the request"),
)


def block(reason: Reason) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {reason}: printed -->\n\n```console\n)(.*?)(\n```\n\n<!-- {reason}: end -->)", re.DOTALL)


def written(page: Path, reason: Reason) -> str:
    found = block(reason).search(page.read_text(encoding="utf-8"))
    assert found, f"{page.name} has no place for what {reason} prints"
    return found[2]


def _between(text: str, found: re.Match[str]) -> str:
    return f"{found[1]}{text}{found[3]}"


def main() -> None:
    with engine.running() as started, scene(started) as made:
        for reason, pushed in made.pushes().items():
            text = tidied(shown(made, reason, pushed), made.site.server.port)
            for page in PAGES:
                old = page.read_text(encoding="utf-8")
                new = block(reason).sub(partial(_between, text), old)
                page.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
