"""What mends a fault, printed for a person to apply."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from mooring.doctor.inside.keyfile import libtrust_id
from mooring.errors import ConfigurationError

KEY_BITS: Final = 4096
YEARS: Final = 20


def token_key(path: Path | None) -> rsa.RSAPrivateKey:
    """The key in a file, so that tokens stay good, or a new one. Raises ConfigurationError."""
    if path is None:
        return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"{path} holds no private key in PEM: {error}") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ConfigurationError(f"{path} holds no RSA key, and Harbor signs with RSA only.")
    return key


def harbor_secret(key: rsa.RSAPrivateKey, name: str, namespace: str) -> str:
    """The Secret that Harbor's chart reads by `core.secretName`: `tls.key` in PKCS#1 and a certificate for it."""
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    certificate = _certificate(key).public_bytes(serialization.Encoding.PEM)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "kubernetes.io/tls",
        "data": {"tls.key": b64encode(private).decode(), "tls.crt": b64encode(certificate).decode()},
    }
    head = f"# The token signing key of all cores; its tokens name it {libtrust_id(key.public_key())}.\n"
    return head + str(yaml.safe_dump(secret, sort_keys=False))


def harbor_values(name: str) -> str:
    head = "# Values of Harbor's chart: helm upgrade RELEASE harbor/harbor --reuse-values -f THIS-FILE\n"
    return head + str(yaml.safe_dump({"core": {"secretName": name}}, sort_keys=False))


def _certificate(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "harbor-token-ca")])
    start = datetime.now(UTC) - timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
