"""A real load balancer in front of the replicas: haproxy, one request here, the next one there."""

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests import programs
from tests.server import HOST, free_port

SETTINGS = """
global
    maxconn 2000
defaults
    mode http
    timeout connect 2s
    timeout client 300s
    timeout server 300s
    timeout http-request 30s
    timeout check 5s
    option http-server-close
    option redispatch 1
    retries 3
    # as nginx does by itself: what only asks is asked of another replica when one dies before it answered
    retry-on conn-failure empty-response
frontend in
    bind {host}:{port}
    # with no replica ready, as while the database restarts, they know better than a balancer what to answer
    use_backend all if {{ nbsrv(replicas) eq 0 }}
    default_backend replicas
backend replicas
    http-request disable-l7-retry unless METH_GET
    balance roundrobin
    option httpchk GET /readyz
    default-server inter 500ms fall 2 rise 1
{checked}
backend all
    http-request disable-l7-retry unless METH_GET
    balance roundrobin
{servers}
"""
START_SECONDS = 10.0


@dataclass
class Balancer:
    directory: Path
    port: int
    servers: tuple[int, ...]
    process: subprocess.Popen[bytes]
    _former: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    def point(self, servers: Sequence[int]) -> None:
        """Send what comes from now on to these ports. Requests under way are finished by the process that has them."""
        self._former = [process for process in self._former if process.poll() is None] + [self.process]
        self.servers = tuple(servers)
        self.process = _launch(self.directory, self.port, self.servers, finishing=self.process)

    def cut(self) -> None:
        """Die and come back: every connection is dropped half-way."""
        self.stop()
        self.process = _launch(self.directory, self.port, self.servers)

    def stop(self) -> None:
        for process in [*self._former, self.process]:
            process.kill()
            process.wait(10)
        self._former.clear()


def start(directory: Path, servers: Sequence[int]) -> Balancer:
    port = free_port()
    return Balancer(directory, port, tuple(servers), _launch(directory, port, servers))


def _launch(
    directory: Path, port: int, servers: Sequence[int], finishing: subprocess.Popen[bytes] | None = None
) -> subprocess.Popen[bytes]:
    lines = [f"    server replica{number} {HOST}:{number}" for number in servers]
    checked = "\n".join(f"{line} check" for line in lines)
    settings = directory / "haproxy.cfg"
    settings.write_text(SETTINGS.format(host=HOST, port=port, servers="\n".join(lines), checked=checked))
    takes_over = ["-sf", str(finishing.pid)] if finishing else []
    before = _listeners(port)
    with (directory / "haproxy.log").open("ab") as log:
        process = subprocess.Popen(
            [programs.find("haproxy"), "-db", "-f", settings, *takes_over],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    _wait_until_listening(process, port, before, directory / "haproxy.log")
    return process


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, before: set[str], log: Path) -> None:
    """Until it listens, and no process before it does: both would take connections."""
    end = time.monotonic() + START_SECONDS
    while not (now := _listeners(port)) or now & before:
        if process.poll() is not None or time.monotonic() > end:
            raise AssertionError(f"haproxy did not start\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.02)


def _listeners(port: int) -> set[str]:
    """The sockets that listen on a port of 127.0.0.1, by their inode."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[9] for row in rows if row[1] == f"0100007F:{port:04X}" and row[3] == "0A"}
