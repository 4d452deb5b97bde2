"""A registry that answers as none ever did: the doctor never fails over it, and judges no door by nonsense."""

import asyncio
import json
import random
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, Final

import pytest

from mooring.doctor.bundle import decode, encode
from mooring.doctor.examination import diagnose
from mooring.doctor.observations import Observations
from mooring.doctor.outside import doors, mooring, repeating
from mooring.doctor.outside.harbor import Question, examine
from mooring.doctor.report import page, text
from mooring.doctor.report.document import document
from mooring.egress.client import Egress, Policy, Reply
from mooring.egress.credentials import Credentials
from mooring.errors import Unavailable

ROUNDS: Final = 150
STATUSES: Final = (0, 200, 200, 200, 201, 202, 204, 301, 400, 401, 401, 403, 404, 418, 429, 500, 502, 503, 599)
NAMES: Final = (
    *("name", "metadata", "public", "creation_time", "project_id", "registry_id", "harbor_version", "auth_mode"),
    *("token", "access_token", "components", "status", "error", "keys", "kid"),
    *("replica", "ready", "failed", "warnings", "replicas", "queues", "refusals", "made_at"),
)
TROUBLES: Final = ("timeout", "refused", "closed", "tls", "name", "failed")


def values(choice: random.Random, depth: int = 0) -> Any:
    plain: tuple[Any, ...] = (None, True, 0, -1, 10**30, 1.5, "", "x", "2026-11-01T00:00:00Z", "\ud800", "é" * 50)
    if depth > 2 or choice.random() < 0.5:
        return choice.choice(plain)
    if choice.random() < 0.5:
        return [values(choice, depth + 1) for _ in range(choice.randrange(4))]
    return {choice.choice(NAMES): values(choice, depth + 1) for _ in range(choice.randrange(6))}


def token(choice: random.Random) -> dict[str, Any]:
    def part(content: Mapping[str, Any]) -> str:
        return urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    claims = {name: values(choice) for name in ("sub", "iat", "nbf", "exp", "access", "iss") if choice.random() < 0.7}
    return {"token": f"{part({'kid': values(choice), 'alg': 'RS256'})}.{part(claims)}.x"}


class Anything(Egress):
    """Takes the network's place; what it answers is nobody's idea of a registry."""

    def __init__(self, seed: int) -> None:
        super().__init__(Policy(private=True))
        self.choice = random.Random(seed)

    async def ask(self, method: str, url: str, **_: Any) -> Reply:
        choice = self.choice
        status = 200 if choice.random() < 0.2 else choice.choice(STATUSES)
        body: Any = token(choice) if choice.random() < 0.4 else values(choice)
        content = choice.choice((json.dumps(body).encode(), b"", b"<html>", b"\xff\xfe", b"{", b"[" * 900))
        challenge = choice.choice(
            (
                "",
                "Basic",
                "Bearer",
                'Bearer realm="',
                'Bearer realm="http://[::1"',
                'Bearer realm="https://h:99999/x"',
                "☃",
            )
        )
        place = choice.choice(
            ("", "/v2/x", "http://[", "https://h:99999/v2/a/blobs/uploads/1?_state=x", "//", "/v2/a b?x=%zz", "v2")
        )
        headers = [
            ("WWW-Authenticate", challenge),
            ("Location", place),
            ("Date", "yesterday"),
            ("Set-Cookie", choice.choice(("_gorilla_csrf=x; Path", ";;;", "a=b"))),
            ("X-Harbor-CSRF-Token", "x"),
        ]
        if status == 0:
            return Reply(0, (), b"", time.time(), choice.random() * 30, choice.choice(TROUBLES), "said nothing")
        return Reply(status, headers, content, time.time(), choice.choice((0.001, 1.6, 16.0)))


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has to be waited for where no time passes."""
    monkeypatch.setattr(doors, "LOGIN_PAUSE_SECONDS", 0)
    monkeypatch.setattr(mooring, "SETTLED_SECONDS", 0)
    monkeypatch.setattr(repeating, "PATIENCE_SECONDS", 1)


def test_never_fails() -> None:
    examined = 0
    for seed in range(ROUNDS):
        question = Question(
            entrance="http://127.0.0.1:1",
            cores=("http://127.0.0.1:2", "http://[::1]:3"),
            credentials=Credentials("dev1", "Dev1-password", "test") if seed % 3 else None,
            repository="library/app" if seed % 2 else "",
            mount_from="secret/app" if seed % 5 == 0 else "",
            uploads="always",
            samples=3,
        )
        try:
            asked, gaps = asyncio.run(examine(Anything(seed), question))
        except Unavailable:
            continue
        examined += 1
        diagnosis = diagnose(Observations(made_at=time.time(), tool="test", target="x", asked=asked, gaps=gaps))
        broken = [(looked.check.id, looked.broken) for looked in diagnosis.looked if looked.broken]
        assert not broken, f"seed {seed}"
        assert diagnose(decode(encode(diagnosis.seen))) == diagnosis, f"seed {seed}"
        report = document(diagnosis, "zh")
        assert text.rendered(report, "zh")
        assert page.rendered(report, "zh")
    assert examined > ROUNDS // 3
