"""The certificate that an https server shows, and whether a client would take it."""

import asyncio
import ssl
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from mooring.egress.client import Policy, tls

PATIENCE_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Certificate:
    """What was shown."""

    issuer: str = ""
    names: tuple[str, ...] = ()
    not_after: float = 0
    """Unix seconds; 0 where it can't be read."""
    refused: str = ""
    """Why it is not to be trusted, as OpenSSL says; empty when it is."""


async def shown(url: str, policy: Policy) -> Certificate | None:
    """None where nothing speaks TLS. A handshake is all that is done: nothing is sent. Raises ValueError for a policy
    that keeps private addresses out, which is not looked at here.
    """
    parts = urlsplit(url)
    if not policy.private:
        raise ValueError("only servers that an operator named are asked so")
    place = parts.hostname or "", parts.port or 443
    try:
        return _read(await _handshake(place, tls(replace(policy, verify=True))), "")
    except ssl.SSLCertVerificationError as error:
        refused = error.verify_message or str(error)
    except (OSError, ValueError):
        return None
    try:
        # To read what is refused: nothing is sent.
        return _read(await _handshake(place, tls(replace(policy, verify=False))), refused)
    except (OSError, ValueError):
        return Certificate(refused=refused)


async def _handshake(place: tuple[str, int], context: ssl.SSLContext) -> bytes | None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        _, writer = await asyncio.open_connection(*place, ssl=context, server_hostname=place[0])
    try:
        connection: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return connection.getpeercert(binary_form=True)
    finally:
        writer.transport.abort()


def _read(content: bytes | None, refused: str) -> Certificate:
    try:
        found = x509.load_der_x509_certificate(content or b"")
        return Certificate(
            issuer=found.issuer.rfc4514_string(),
            names=_names(found),
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
