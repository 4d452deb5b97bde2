"""A real API server on a real etcd: it checks and stores objects, and decides who may do what. Nothing runs pods."""

import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.kubernetes.api import Answered, Kubernetes
from tests.programs import TOOLS, missing
from tests.server import HOST, free_port

DEADLINE: Final = 90
TO_GET_IT: Final = "To get it: make kubernetes (tests/kubernetes/build.sh, which needs Go and Debian's etcd-server)"


@dataclass(frozen=True)
class Cluster:
    api: Kubernetes
    """As its administrator."""
    kubeconfig: Path


def program(name: str) -> Path:
    """Where a program is; a test without it skips with one line, or fails where tools are required."""
    found = [directory / name for directory in (TOOLS, Path("/usr/bin")) if (directory / name).exists()]
    if not found:
        missing(f"{name} is not there. {TO_GET_IT}")
    return found[0]


@contextmanager
def running(directory: Path) -> Iterator[Cluster]:
    etcd, server = program("etcd"), program("kube-apiserver")
    with started("etcd", etcd_command(etcd, directory, port := free_port()), directory):
        token, secure = secrets.token_urlsafe(24), free_port()
        (directory / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
        make_account_key(directory / "accounts.pem")
        command = server_command(server, directory, etcd_port=port, port=secure)
        with started("kube-apiserver", command, directory) as process:
            # The server signs a certificate for itself, and puts its authority behind it.
            api = Kubernetes(f"https://{HOST}:{secure}", directory / "certificates" / "apiserver.crt", token)
            wait_until_ready(api, process, directory / "kube-apiserver.log")
            yield Cluster(api, kubeconfig(directory, api))


def etcd_command(program: Path, directory: Path, port: int) -> list[str]:
    clients, peers = f"http://{HOST}:{port}", f"http://{HOST}:{free_port()}"
    return [
        str(program),
        f"--data-dir={directory / 'etcd'}",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
    ]


def server_command(program: Path, directory: Path, *, etcd_port: int, port: int) -> list[str]:
    return [
        str(program),
        f"--etcd-servers=http://{HOST}:{etcd_port}",
        f"--bind-address={HOST}",
        f"--secure-port={port}",
        f"--cert-dir={directory / 'certificates'}",
        f"--service-account-key-file={directory / 'accounts.pem'}",
        f"--service-account-signing-key-file={directory / 'accounts.pem'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=RBAC",
        f"--token-auth-file={directory / 'tokens.csv'}",
        "--service-cluster-ip-range=10.96.0.0/24",
        "--endpoint-reconciler-type=none",
    ]


@contextmanager
def started(name: str, command: list[str], directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (directory / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(api: Kubernetes, process: subprocess.Popen[bytes], log: Path) -> None:
    """Ready is when it serves, its roles are there, and the namespace `default` is."""
    end = time.monotonic() + DEADLINE
    while not is_ready(api):
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        assert process.poll() is None, f"the API server ended\n{tail}"
        assert time.monotonic() < end, f"the API server was not ready after {DEADLINE} s\n{tail}"
        time.sleep(0.2)


def is_ready(api: Kubernetes) -> bool:
    try:
        api.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/system:basic-user")
        return api.find("/api/v1/namespaces/default") is not None
    except (OSError, Answered):
        return False


def make_account_key(path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )


def kubeconfig(directory: Path, api: Kubernetes) -> Path:
    path = directory / "kubeconfig"
    path.write_text(f"""\
apiVersion: v1
kind: Config
current-context: test
clusters:
  - name: test
    cluster:
      server: {api.url}
      certificate-authority: {api.authority}
users:
  - name: test
    user:
      token: {api.token}
contexts:
  - name: test
    context:
      cluster: test
      user: test
""")
    path.chmod(0o600)
    return path
