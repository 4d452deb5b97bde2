"""A real load balancer in front of the replicas: haproxy, one request here, the next one there."""

import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import programs
from tests.server import HOST, free_port

SETTINGS = """
global
    maxconn 2000
defaults
    mode http
    timeout connect 2s
    timeout client 120s
    timeout server 120s
    timeout http-request 30s
    option http-server-close
    option redispatch 1
    retries 3
frontend in
    bind {host}:{port}
    default_backend replicas
backend replicas
    balance roundrobin
    option httpchk GET /readyz
    default-server inter 500ms fall 1 rise 1
{servers}
"""


@dataclass
class Balancer:
    directory: Path
    port: int
    servers: tuple[int, ...]
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    def reconfigure(self, servers: Sequence[int]) -> None:
        """Start anew with other replicas: connections that are open are dropped half-way."""
        self.stop()
        self.servers = tuple(servers)
        self.process = _launch(self.directory, self.port, self.servers)

    def wait(self, seconds: float = 10) -> None:
        """Until it takes connections."""
        end = time.monotonic() + seconds
        while True:
            try:
                socket.create_connection((HOST, self.port), timeout=1).close()
                return
            except OSError:
                log = (self.directory / "haproxy.log").read_text(errors="replace")
                assert time.monotonic() < end, f"haproxy does not answer\n{log[-2000:]}"
                time.sleep(0.02)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(10)


def start(directory: Path, servers: Sequence[int]) -> Balancer:
    port = free_port()
    return Balancer(directory, port, tuple(servers), _launch(directory, port, servers))


def _launch(directory: Path, port: int, servers: Sequence[int]) -> subprocess.Popen[bytes]:
    lines = "\n".join(f"    server replica{number} {HOST}:{number} check" for number in servers)
    settings = directory / "haproxy.cfg"
    settings.write_text(SETTINGS.format(host=HOST, port=port, servers=lines))
    with (directory / "haproxy.log").open("ab") as log:
        return subprocess.Popen(
            [programs.find("haproxy"), "-db", "-f", settings], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
