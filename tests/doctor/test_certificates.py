"""Certificates that clients do not take, or will not for long."""

import asyncio
import ipaddress
import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from anyio.from_thread import start_blocking_portal
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from mooring.cli.main import application
from mooring.doctor.examination import diagnose
from mooring.doctor.observations import Observations
from mooring.doctor.outside.harbor import Question, examine
from mooring.egress.client import Egress, Policy
from tests.doctor.harbor import ADMIN, built, make_key, served_securely

ADDRESS: Final = "127.0.0.1"


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


def certificate(directory: Path, *, name: str = ADDRESS, days: float = 90) -> Path:
    """Signed by itself, with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    alternative = x509.IPAddress(ipaddress.ip_address(name)) if name == ADDRESS else x509.DNSName(name)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=100))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / "certificate.pem"
    form = serialization.PrivateFormat.PKCS8
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


async def titles(path: Path, authority: Path | None) -> list[tuple[str, str, bool]]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    harbor = built(make_key(), make_key())
    async with served_securely(harbor, context) as url, Egress(Policy(private=True, authority=authority)) as egress:
        asked, gaps = await examine(egress, Question(entrance=url, samples=2))
    seen = Observations(made_at=time.time(), tool="test", target=url, asked=asked, gaps=gaps)
    return [(finding.title.en, finding.confidence, finding.harmless) for finding in diagnose(seen).findings]


@pytest.mark.parametrize(
    ("made", "trusted", "expected"),
    [
        ({}, True, []),
        ({}, False, [("The certificate of entrance is refused", "possible", False)]),
        ({"days": -1}, True, [("The certificate of entrance is refused", "certain", False)]),
        ({"name": "other.example"}, True, [("The certificate of entrance is refused", "certain", False)]),
        ({"days": 5.5}, True, [("The certificate of entrance ends in 5 days", "certain", True)]),
    ],
    ids=["sound", "of an unknown authority", "expired", "of another name", "ends soon"],
)
def test_a_certificate_is_looked_at(tmp_path: Path, made: Any, trusted: bool, expected: Any) -> None:
    path = certificate(tmp_path, **made)
    assert asyncio.run(titles(path, path if trusted else None)) == expected


def test_credentials_are_not_sent_to_one_that_is_refused(tmp_path: Path) -> None:
    """Whoever answers there may be anybody: the report says so, and no door was asked."""
    with _secure(certificate(tmp_path)) as (url, heard):
        given = {"MOORING_DOCTOR_USERNAME": ADMIN[0], "MOORING_DOCTOR_PASSWORD": ADMIN[1]}
        done = CliRunner().invoke(application, ["doctor", url, "--output", "json"], env=given)
    report = json.loads(done.output)
    assert done.exit_code == 1
    assert report["findings"][0]["title"] == "The certificate of entrance is refused"
    assert heard == []


@contextmanager
def _secure(path: Path) -> Iterator[tuple[str, list[str]]]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    harbor = built(make_key(), make_key())
    heard: list[str] = []
    harbor.balancer.instead = lambda request: heard.append(request.path)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(served_securely(harbor, context)) as url:
        yield url, heard
