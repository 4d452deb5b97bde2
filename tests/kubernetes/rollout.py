"""A rolling update as Kubernetes does it: pods as processes, and a Service that learns late who went.

The order is the Deployment controller's for `maxSurge: 1` and `maxUnavailable: 0`; the end of a pod is a kubelet's:
preStop, SIGTERM, and failure when the grace period is over. A pod that goes is sent requests for a while yet, as by
every load balancer that is told over a network.
"""

import itertools
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.kubernetes.api import Object
from tests.kubernetes.pods import Pod
from tests.kubernetes.release import Release
from tests.programs import find
from tests.server import HOST, free_port

LATE_SECONDS: Final = 1.0
DEADLINE: Final = 60
SLOTS: Final = 6

SETTINGS: Final = """
global
    stats socket {directory}/control level admin
defaults
    mode http
    timeout connect 3s
    timeout client 60s
    timeout server 60s
    option http-server-close
    # Nothing is tried twice: what one pod refuses, the client sees.
    retries 0
frontend service
    bind {host}:{port}
    default_backend pods
backend pods
    balance roundrobin
{servers}
"""


@dataclass(frozen=True)
class Service:
    """Each request goes to the next of its pods."""

    directory: Path
    port: int
    slots: tuple[int, ...]

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    def add(self, port: int) -> None:
        self._say(f"set server pods/pod{port} state ready")

    def remove(self, port: int) -> None:
        self._say(f"set server pods/pod{port} state maint")

    def _say(self, command: str) -> None:
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(str(self.directory / "control"))
            control.sendall(f"{command}\n".encode())
            said = control.recv(1024).decode().strip()
        assert not said, said


@contextmanager
def service(directory: Path) -> Iterator[Service]:
    directory.mkdir()
    slots = tuple(itertools.islice(iter(free_port, 0), SLOTS))
    found = Service(directory, free_port(), slots)
    servers = "\n".join(f"    server pod{port} {HOST}:{port} disabled" for port in slots)
    settings = directory / "haproxy.cfg"
    settings.write_text(SETTINGS.format(directory=directory, host=HOST, port=found.port, servers=servers))
    process = subprocess.Popen([find("haproxy"), "-db", "-f", settings], stdin=subprocess.DEVNULL)
    try:
        end = time.monotonic() + DEADLINE
        while not (directory / "control").exists():
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
        yield found
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Started:
    pod: Pod
    port: int
    process: subprocess.Popen[bytes]


@dataclass
class Rollout:
    release: Release
    service: Service
    directory: Path
    running: list[Started] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def scale(self, deployment: Object) -> None:
        """The first pods of a Deployment."""
        for _ in range(deployment["spec"]["replicas"]):
            self._start(deployment["spec"]["template"]["spec"])

    def update(self, deployment: Object) -> None:
        """Replace every pod, one at a time, a new one first."""
        strategy = deployment["spec"]["strategy"]["rollingUpdate"]
        assert strategy == {"maxSurge": 1, "maxUnavailable": 0}
        for old in list(self.running):
            self._start(deployment["spec"]["template"]["spec"])
            time.sleep(deployment["spec"].get("minReadySeconds", 0))
            self._stop(old)

    def kill(self) -> None:
        for started in self.running:
            os.killpg(started.process.pid, signal.SIGKILL)
            started.process.wait()

    def _start(self, spec: Object) -> None:
        number = next(self._numbers)
        port = self.service.slots[number]
        name, overrides = f"mooring-{number}", {"MOORING_HOST": HOST, "MOORING_PORT": str(port)}
        pod = Pod(self.release.api, self.release.namespace, name, spec, self.directory / name, overrides)
        pod.directory.mkdir(parents=True)
        with (self.directory / f"{name}.log").open("wb") as log:
            started = Started(pod, port, pod.start(log))
        self.running.append(started)
        path = pod.container["readinessProbe"]["httpGet"]["path"]
        end = time.monotonic() + DEADLINE
        while not _answers(f"http://{HOST}:{port}{path}"):
            log_text = (self.directory / f"{name}.log").read_text()
            assert started.process.poll() is None, log_text
            assert time.monotonic() < end, log_text
            time.sleep(0.1)
        self.service.add(port)

    def _stop(self, old: Started) -> None:
        told = threading.Timer(LATE_SECONDS, self.service.remove, (old.port,))
        told.start()
        end = time.monotonic() + old.pod.spec["terminationGracePeriodSeconds"]
        hook = old.pod.container.get("lifecycle", {}).get("preStop")
        if hook:
            subprocess.run(hook["exec"]["command"], check=True, timeout=end - time.monotonic())
        old.process.terminate()
        code = old.process.wait(end - time.monotonic())
        told.join()
        self.running.remove(old)
        assert code == 0, (self.directory / f"{old.pod.name}.log").read_text()


def _answers(url: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
