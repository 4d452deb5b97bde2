"""A registry within this process, and those who are told of its alerts."""

import ipaddress
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.http.site import Site
from tests.observe.alerts.receivers import Webhook, webhook
from tests.server import HOST


class OpenSite(Protocol):
    """Opens one on the same data once more, as another process does."""

    def __call__(self, **settings: Any) -> Site: ...


@pytest.fixture
def told() -> Iterator[Webhook]:
    with webhook() as made:
        yield made


@pytest.fixture
def open_site(tmp_path: Path) -> Iterator[OpenSite]:
    opened: list[Site] = []

    def make(**settings: Any) -> Site:
        given = {"alert_private": True, "alert_delay_seconds": 0, "external_url": "https://registry.example"}
        opened.append(Site(tmp_path / "data", **{**given, **settings}))
        return opened[-1]

    yield make
    for site in opened:
        site.__exit__()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Of 127.0.0.1, signed by itself: the certificate's file, and its key's."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    directory = tmp_path_factory.mktemp("certificate")
    files = directory / "certificate.pem", directory / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files
