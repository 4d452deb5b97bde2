"""Other people's registries, started as their operators start them, right or wrong."""

import base64
import json
import secrets
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import bcrypt
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import ECKey

from tests import programs
from tests.probe.relay import Answer, Asked, Host, host
from tests.server import HOST, free_port

USERNAME: Final = "ci"
PASSWORD: Final = "Sailor-of-the-7-seas"
READY_SECONDS: Final = 30
ZOT: Final = (
    "zot is not here: no module proxy has it. "
    f"{programs.REMEDY}build its `make binary-minimal` and put it into .tools/bin as zot"
)

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(one)
    for name, value in other.items():
        both = isinstance(value, Mapping) and isinstance(found.get(name), Mapping)
        found[name] = merged(found[name], value) if both else value
    return found


def htpasswd(directory: Path, password: str = PASSWORD) -> Path:
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    path = directory / f"htpasswd-{secrets.token_hex(4)}"
    path.write_text(f"{USERNAME}:{hashed}\n")
    return path


class Fleet:
    """Starts registries in one directory; all are stopped with it."""

    def __init__(self, directory: Path, running: ExitStack) -> None:
        self.directory = directory
        self._running = running

    def distribution(self, name: str, changes: Mapping[str, Any] = {}, *, store: str = "") -> str:
        """Debian's, with its own bytes unless it is given another one's. Answers its address."""
        port = free_port()
        root = self.directory / (store or name)
        config = {
            "version": 0.1,
            "log": {"accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(root)}, "delete": {"enabled": True}},
            "http": {"addr": f"{HOST}:{port}", "secret": "the same for all"},
        }
        path = self.directory / f"{name}.yml"
        path.write_text(yaml.safe_dump(merged(config, changes)))
        return self._start(name, [programs.find("docker-registry"), "serve", path], port)

    def zot(self, name: str, changes: Mapping[str, Any] = {}) -> str:
        program = programs.locate("zot")
        if program is None:
            # Never required: a machine can't be made to have it by its package registries.
            pytest.skip(ZOT)
        port = free_port()
        config = {
            "distSpecVersion": "1.1.1",
            "storage": {"rootDirectory": str(self.directory / name), "gc": False},
            "http": {"address": HOST, "port": str(port)},
            "log": {"level": "error"},
        }
        path = self.directory / f"{name}.json"
        path.write_text(json.dumps(merged(config, changes)))
        return self._start(name, [program, "serve", path], port)

    def _start(self, name: str, command: list[str | Path], port: int) -> str:
        log = self.directory / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self._running.callback(process.wait, 10)
        self._running.callback(process.kill)
        end = time.monotonic() + READY_SECONDS
        while not _answers(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        return f"http://{HOST}:{port}"

    def tokens(self, *, audience: str = "registry") -> "TokenService":
        """A token service, which issues for this audience whatever it is asked for."""
        service = TokenService(self.directory, audience)
        service.host = self._running.enter_context(host(service.answer))
        return service


def _answers(port: int) -> bool:
    with suppress(OSError):
        try:
            with _direct.open(f"http://{HOST}:{port}/v2/", timeout=5):
                return True
        except urllib.error.HTTPError:
            return True
    return False


@contextmanager
def fleet(directory: Path) -> Iterator[Fleet]:
    with ExitStack() as running:
        yield Fleet(directory, running)


@dataclass
class TokenService:
    """As distribution's specification of token authentication has it, with the certificate in the token (x5c)."""

    directory: Path
    audience: str
    host: Host | None = None

    def __post_init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tokens.test")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.bundle = self.directory / f"tokens-{secrets.token_hex(4)}.pem"
        self.bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self._chain = [base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()]

    @property
    def url(self) -> str:
        assert self.host is not None
        return self.host.url

    def trusted(self, other: "TokenService | None" = None) -> dict[str, Any]:
        """The configuration of a registry that sends its clients here; and believes this one, or another."""
        token = {
            "realm": f"{self.url}/auth",
            "service": "registry",
            "issuer": "tokens.test",
            "rootcertbundle": str((other or self).bundle),
        }
        return {"auth": {"token": token}}

    def answer(self, asked: Asked, _body: bytes) -> Answer:
        given = f"Basic {base64.b64encode(f'{USERNAME}:{PASSWORD}'.encode()).decode()}"
        if asked.headers.get("authorization") != given:
            return Answer(401, [], b'{"details": "wrong"}')
        access = []
        for scope in parse_qs(urlsplit(asked.path).query).get("scope", []):
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        now = int(time.time())
        claims = {
            "iss": "tokens.test", "sub": USERNAME, "aud": self.audience, "access": access,
            "iat": now, "nbf": now - 10, "exp": now + 300, "jti": secrets.token_hex(8),
        }  # fmt: skip
        pem = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        token = jwt.encode({"alg": "ES256", "typ": "JWT", "x5c": self._chain}, claims, ECKey.import_key(pem))
        return Answer(200, [("content-type", "application/json")], json.dumps({"token": token}).encode())
