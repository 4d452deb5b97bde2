"""The Compose file as Compose itself reads it, and its services as processes of this machine."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.postgresql import PostgreSQL
from tests.programs import REMEDY, ROOT, TOOLS, Shell, find, missing
from tests.server import HOST, free_port

LOADER: Final = TOOLS / "compose-project"
FOLDER: Final = ROOT / "deploy" / "compose"
DEADLINE: Final = 60
Model = dict[str, Any]


def fill(directory: Path) -> Path:
    """A copy of the folder, with `.env` made by the command in its README."""
    copy = Path(shutil.copytree(FOLDER, directory / "compose", ignore=shutil.ignore_patterns(".env")))
    command = next(line for line in (copy / "README.md").read_text().splitlines() if line.startswith("awk "))
    subprocess.run(["sh", "-c", command], cwd=copy, check=True)
    return copy


def settings(copy: Path) -> dict[str, str]:
    lines = (copy / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def load(copy: Path) -> Model:
    """By the loader that Docker Compose is built on. Raises Refused with its own words."""
    if not LOADER.exists():
        missing(f"compose-project is not built. {REMEDY}make tools (tests/deploy/loader.sh, which needs Go)")
    shell = Shell(copy, {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(copy)})
    model: Model = json.loads(shell.run(LOADER))
    return model


@dataclass(frozen=True)
class Running:
    """`ports` holds the services' by their name and port in the file: `mooring-1:5000`."""

    directory: Path
    ports: Mapping[str, int]
    replicas: Mapping[str, subprocess.Popen[bytes]]

    @property
    def address(self) -> str:
        return f"{HOST}:{self.ports['balancer:5000']}"

    def ready(self, service: str = "balancer") -> str | None:
        """The replica that answers there, while it is ready."""
        url = f"http://{HOST}:{self.ports[f'{service}:{INNER[service]}']}/readyz"
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as answer:
                return str(json.load(answer)["replica"]).partition("/")[0]
        except OSError:
            return None

    def metrics(self, service: str) -> str:
        url = f"http://{HOST}:{self.ports[f'{service}:5000']}/metrics"
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as answer:
            return str(answer.read().decode())

    def logs(self) -> str:
        return "\n".join(
            f"--- {path.name}\n{path.read_text()[-3000:]}" for path in sorted(self.directory.glob("*.log"))
        )


@contextmanager
def running(model: Model, copy: Path, database: PostgreSQL, directory: Path) -> Iterator[Running]:
    """PostgreSQL is the given one; every other service is started as the file says, on another port."""
    services = model["services"]
    ports = {f"{name}:{port}": free_port() for name, port in INNER.items()}
    ports["postgres:5432"] = database.port
    with ExitStack() as stack:

        def start(name: str, command: Sequence[str | Path], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
            moved = {key: here(value, ports) for key, value in environment.items()}
            return stack.enter_context(process(name, command, moved, directory))

        start("s3", s3_command(services["s3"], directory, ports["s3:7070"]), services["s3"]["environment"])
        wait(partial(answers, f"http://{HOST}:{ports['s3:7070']}/health"), "S3", None)
        replicas = {}
        for name in ("mooring-1", "mooring-2"):
            own = {"MOORING_HOST": HOST, "MOORING_PORT": str(ports[f"{name}:5000"]), "MOORING_WORKERS": "1"}
            address = f"http://{HOST}:{ports['balancer:5000']}"
            place = {"MOORING_DATA": str(directory / name), "MOORING_EXTERNAL_URL": address}
            command = [sys.executable, "-m", "mooring", "serve"]
            replicas[name] = start(name, command, services[name]["environment"] | own | place)
        own = {"MOORING_HOST": HOST, "MOORING_WORKER_PORT": str(ports["worker:5001"])}
        command = [sys.executable, "-m", "mooring", *services["worker"]["command"]]
        start("worker", command, services["worker"]["environment"] | own)
        configuration = directory / "haproxy.cfg"
        configuration.write_text(balancer_settings(copy, ports))
        start("balancer", [find("haproxy"), "-db", "-f", configuration], {})
        found = Running(directory, ports, replicas)
        for name in (*replicas, "worker", "balancer"):
            wait(partial(found.ready, name), name, found)
        yield found


INNER: Final = {"balancer": 5000, "mooring-1": 5000, "mooring-2": 5000, "worker": 5001, "s3": 7070}


def here(text: str, ports: Mapping[str, int]) -> str:
    """What names a service names a port of this machine instead."""
    for inner, port in ports.items():
        text = re.sub(rf"(?<![\w.-]){re.escape(inner)}\b", f"{HOST}:{port}", text)
    return text


def balancer_settings(copy: Path, ports: Mapping[str, int]) -> str:
    text = here((copy / "haproxy.cfg").read_text(), ports)
    assert "bind :5000\n" in text
    return text.replace("bind :5000\n", f"bind {HOST}:{ports['balancer:5000']}\n")


def s3_command(service: Model, directory: Path, port: int) -> list[str | Path]:
    """Its own command, with the program, the port and the folder of this machine."""
    (text,) = service["command"]
    for inner, outer in {
        "/usr/local/bin/versitygw": str(find("versitygw")),
        "--port :7070": f"--port {HOST}:{port}",
        "/data": str(directory / "objects"),
    }.items():
        assert inner in text, f"{inner!r} is not in {text!r}"
        text = text.replace(inner, outer)
    return [*service["entrypoint"], text]


@contextmanager
def process(
    name: str, command: Sequence[str | Path], environment: Mapping[str, str], directory: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with (directory / f"{name}.log").open("wb") as log:
        started = subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"], "HOME": str(directory)} | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield started
    finally:
        if started.poll() is None:
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()


def wait(condition: Callable[[], object], what: str, running: Running | None) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        logs = running.logs() if running else ""
        assert time.monotonic() < end, f"{what} was not ready after {DEADLINE} s\n{logs}"
        time.sleep(0.1)


def answers(url: str) -> bool:
    try:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5).close()
    except OSError:
        return False
    return True
