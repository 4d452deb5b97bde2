"""The certificate that an https server shows, and whether a client would take it."""

import asyncio
import ssl
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from mooring.egress.client import Policy

PATIENCE_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Certificate:
    """What was shown. Times are Unix seconds."""

    subject: str = ""
    issuer: str = ""
    names: tuple[str, ...] = ()
    not_before: float = 0
    not_after: float = 0
    refused: str = ""
    """Why it is not to be trusted, as OpenSSL says; empty when it is."""


async def shown(url: str, policy: Policy) -> Certificate | None:
    """None where nothing speaks TLS. A handshake is all that is done: nothing is sent. Raises ValueError for a policy
    that keeps private addresses out, which is not looked at here.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not policy.private:
        raise ValueError("only servers that an operator named are asked so")
    place = host, parts.port or 443
    trusting = ssl.create_default_context(cafile=str(policy.authority) if policy.authority else None)
    refused = ""
    try:
        content = await _handshake(place, trusting)
    except ssl.SSLCertVerificationError as error:
        refused = error.verify_message or str(error)
        content = None
    except (OSError, TimeoutError, ValueError):
        return None
    if content is None:
        anything = ssl.create_default_context()
        anything.check_hostname = False
        anything.verify_mode = ssl.CERT_NONE
        try:
            content = await _handshake(place, anything)
        except (OSError, TimeoutError, ValueError):
            return Certificate(refused=refused) if refused else None
    return _read(content or b"", refused)


async def _handshake(place: tuple[str, int], context: ssl.SSLContext) -> bytes | None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        _, writer = await asyncio.open_connection(*place, ssl=context, server_hostname=place[0])
    try:
        connection: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return connection.getpeercert(binary_form=True)
    finally:
        writer.transport.abort()


def _read(content: bytes, refused: str) -> Certificate:
    try:
        found = x509.load_der_x509_certificate(content)
        return Certificate(
            subject=found.subject.rfc4514_string(),
            issuer=found.issuer.rfc4514_string(),
            names=_names(found),
            not_before=found.not_valid_before_utc.timestamp(),
            not_after=found.not_valid_after_utc.timestamp(),
            refused=refused,
        )
    except ValueError:
        return Certificate(refused=refused)


def _names(found: x509.Certificate) -> tuple[str, ...]:
    try:
        names = found.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except x509.ExtensionNotFound:
        return ()
    assert isinstance(names, x509.SubjectAlternativeName)
    return tuple(str(name.value) for name in names if isinstance(name, x509.DNSName | x509.IPAddress))
