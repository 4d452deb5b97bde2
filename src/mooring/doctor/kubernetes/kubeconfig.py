"""Who asks which cluster: from a kubeconfig, or from within a pod."""

import json
import os
import ssl
import subprocess
import tempfile
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from mooring.errors import ConfigurationError

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PLUGIN_SECONDS: Final = 60


@dataclass(frozen=True)
class Access:
    url: str
    context: ssl.SSLContext | None
    token: str = field(default="", repr=False)
    namespace: str = ""


def load(name: str | None, path: Path | None) -> Access:
    """Raises ConfigurationError when there is no cluster to ask, or its credentials can't be had."""
    file = path or _usual()
    if file is None:
        return _from_pod()
    try:
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
        chosen = _named(config, "contexts", name or config.get("current-context") or "")["context"]
        cluster = _named(config, "clusters", str(chosen["cluster"]))["cluster"]
        user = _named(config, "users", str(chosen["user"])).get("user") or {}
        url = str(cluster["server"]).rstrip("/")
        token, certificate, key = _credentials(user, file.parent)
        context = _tls(url, cluster, file.parent, certificate, key)
    except KeyError as error:
        raise ConfigurationError(f"{file} is no kubeconfig that can be used: it lacks {error}.") from error
    except (OSError, yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{file} is no kubeconfig that can be used: {error}") from error
    return Access(url, context, token, str(chosen.get("namespace") or ""))


def _usual() -> Path | None:
    named = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    usual = Path(named) if named else Path.home() / ".kube" / "config"
    return usual if named or usual.exists() else None


def _from_pod() -> Access:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise ConfigurationError("There is no kubeconfig. Give --kubeconfig, or set KUBECONFIG.")
    try:
        token = (ACCOUNT / "token").read_text(encoding="utf-8").strip()
        context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
        namespace = (ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(f"This pod has no service account to ask with: {error}") from error
    shown = f"[{host}]" if ":" in host else host
    return Access(f"https://{shown}:{port}", context, token, namespace)


def _named(config: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Any]:
    found = next((each for each in config.get(kind) or () if each.get("name") == name), None)
    if found is None:
        raise ConfigurationError(f"The kubeconfig has no {name!r} among its {kind}.")
    return dict(found)


def _credentials(user: Mapping[str, Any], directory: Path) -> tuple[str, bytes, bytes]:
    """Token, certificate and key: as they stand in the file, or as the program that it names prints them."""
    if plugin := user.get("exec"):
        return _from_plugin(plugin)
    token = str(user.get("token") or "")
    if not token and (file := user.get("tokenFile")):
        token = (directory / str(file)).read_text(encoding="utf-8").strip()
    certificate = _content(user, "client-certificate", directory)
    return token, certificate, _content(user, "client-key", directory)


def _from_plugin(plugin: Mapping[str, Any]) -> tuple[str, bytes, bytes]:
    command = [str(plugin["command"]), *(str(word) for word in plugin.get("args") or ())]
    given = {str(each["name"]): str(each["value"]) for each in plugin.get("env") or ()}
    version = str(plugin.get("apiVersion") or "client.authentication.k8s.io/v1")
    asked = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
    try:
        # The program that kubectl itself would run, by the operator's own file; no shell reads it.
        done = subprocess.run(  # noqa: S603
            command,
            env={**os.environ, **given, "KUBERNETES_EXEC_INFO": json.dumps(asked)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PLUGIN_SECONDS,
            check=True,
        )
        status = json.loads(done.stdout)["status"]
        certificate, key = status.get("clientCertificateData") or "", status.get("clientKeyData") or ""
        return str(status.get("token") or ""), certificate.encode(), key.encode()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, subprocess.SubprocessError) as error:
        raise ConfigurationError(
            f"{command[0]}, which the kubeconfig names for credentials, gave none: {error}"
        ) from error


def _content(values: Mapping[str, Any], name: str, directory: Path) -> bytes:
    if data := values.get(f"{name}-data"):
        return b64decode(str(data))
    if file := values.get(name):
        try:
            return (directory / str(file)).read_bytes()
        except OSError as error:
            raise ConfigurationError(f"{file}, which the kubeconfig names, can't be read: {error.strerror}.") from error
    return b""


def _tls(
    url: str, cluster: Mapping[str, Any], directory: Path, certificate: bytes, key: bytes
) -> ssl.SSLContext | None:
    if not url.startswith("https:"):
        return None
    authority = _content(cluster, "certificate-authority", directory)
    context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate and key:
        # Python takes a client's certificate from files alone.
        with tempfile.TemporaryDirectory() as folder:
            both = Path(folder) / "client.pem"
            both.touch(mode=0o600)
            both.write_bytes(certificate + b"\n" + key)
            context.load_cert_chain(both)
    return context
