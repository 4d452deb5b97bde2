"""A Docker engine of the tests' own: its data, sockets and processes are apart from any other."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import programs
from tests.programs import Refused, Shell


@dataclass(frozen=True)
class Engine:
    """A running dockerd and the command that talks to it."""

    docker: Path
    socket: str
    log: Path


@contextmanager
def running() -> Iterator[Engine]:
    """Start a dockerd and stop it. It may reach 127.0.0.1 by plain HTTP, as every dockerd may."""
    docker, dockerd = programs.find("docker"), programs.find("dockerd")
    if os.geteuid() != 0:
        programs.missing(f"dockerd needs root. {programs.REMEDY}run the tests as root")
    # a short path: a socket's has at most 107 characters
    home = Path(tempfile.mkdtemp(prefix="mooring-docker-"))
    engine = Engine(docker, f"unix://{home}/socket", home / "log")
    (home / "daemon.json").write_text("{}")
    command: list[str | Path] = [
        *(dockerd, "--host", engine.socket, "--pidfile", home / "pid", "--config-file", home / "daemon.json"),
        *("--data-root", home / "data", "--exec-root", home / "run", "--storage-driver", "vfs"),
        *("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--bridge=none"),
        *("--max-concurrent-uploads", "20", "--max-concurrent-downloads", "20"),
    ]
    with engine.log.open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _wait_until_ready(engine, process, home)
        yield engine
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # A mount of its own that is still busy is no reason to lose what a test found.
        shutil.rmtree(home, ignore_errors=True)


def _wait_until_ready(engine: Engine, process: subprocess.Popen[bytes], home: Path, deadline: float = 60) -> None:
    shell = Shell(home, {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home)})
    end = time.monotonic() + deadline
    while True:
        try:
            shell.run(engine.docker, "--host", engine.socket, "version")
        except Refused as refused:
            if process.poll() is None and time.monotonic() < end:
                time.sleep(0.1)
                continue
            log = engine.log.read_text(errors="replace")[-4000:]
            raise AssertionError(f"dockerd did not start\n{refused}\n{log}") from refused
        return
