"""A real `mooring serve`, started and stopped by tests."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from pysqlite3 import dbapi2 as sqlite

HOST: Final = "127.0.0.1"
USERNAME: Final = "admin"
PASSWORD: Final = "Harbour-Master-1"
PORTS: Final = range(20000, 32000)  # below the kernel's ephemeral range: no outgoing connection takes one
TRIES: Final = 5

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ServerFailed(Exception):
    """The server did not start, or did not stop. The message ends with the end of its log."""


class Registry(Protocol):
    """What a client is given: one server, or a load balancer with replicas behind it."""

    @property
    def address(self) -> str:
        """`host:port`, as image references begin."""
        ...

    @property
    def url(self) -> str: ...

    @property
    def username(self) -> str: ...

    @property
    def password(self) -> str: ...

    def execute(self, statement: str) -> int:
        """Change the database behind the registry's back; answers how many rows."""
        ...


@dataclass(frozen=True)
class Server:
    """A running registry. Its data directory outlives it: `start(server.data)` starts another one there."""

    port: int
    data: Path
    log: Path
    process: subprocess.Popen[bytes]
    host: str = HOST
    username: str = USERNAME
    password: str = PASSWORD

    @property
    def address(self) -> str:
        """`host:port`, as image references begin."""
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def execute(self, statement: str) -> int:
        with sqlite.connect(self.data / "mooring.db", timeout=30) as database:
            changed = int(database.execute(statement).rowcount)
        database.close()
        return changed

    def stop(self, *, deadline: float = 30) -> int:
        """Ask it to finish (SIGTERM) and return its exit code.

        Raises ServerFailed when it, or a process it started, still runs after `deadline` seconds.
        """
        end = time.monotonic() + deadline
        self.process.terminate()
        try:
            self.process.wait(deadline)
            while members := processes(self.process.pid):
                if time.monotonic() > end:
                    raise ServerFailed(f"left processes {members} running\n{self.tail()}")
                time.sleep(0.02)
        except subprocess.TimeoutExpired:
            raise ServerFailed(f"still running {deadline} s after SIGTERM\n{self.tail()}") from None
        finally:
            self.kill()
        return self.process.returncode

    def kill(self) -> None:
        """SIGKILL to the supervisor and all its workers, as when the machine loses power."""
        while processes(self.process.pid):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            time.sleep(0.01)
        self.process.wait()

    def ready(self) -> bool:
        try:
            with _direct.open(f"{self.url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def tail(self, lines: int = 100, *, since: int = 0) -> str:
        """The last lines of its log, of those after the byte `since`."""
        return tail(self.log, lines, since=since)


def start(
    data: Path, *, workers: int = 2, environment: Mapping[str, str] | None = None, deadline: float = 120
) -> Server:
    """Start a server on a free port and wait until it is ready.

    `environment` adds MOORING_* variables, or overrides those set here; none are inherited.
    Raises ServerFailed when it exits, or is not ready after `deadline` seconds.
    """
    data.mkdir(parents=True, exist_ok=True)
    for attempt in range(TRIES):
        server = launch(data, free_port(), workers, environment or {})
        try:
            wait_until_ready(server, deadline)
        except ServerFailed:
            server.kill()
            if attempt + 1 < TRIES and "in use" in server.tail():
                continue
            raise
        return server
    raise AssertionError("unreachable")


def launch(data: Path, port: int, workers: int, environment: Mapping[str, str]) -> Server:
    """Start the process and do not wait for it."""
    log = data.with_name(f"{data.name}.log")
    settings = {
        "MOORING_HOST": HOST,
        "MOORING_PORT": str(port),
        "MOORING_DATA": str(data),
        "MOORING_WORKERS": str(workers),
        "MOORING_ADMIN_PASSWORD": PASSWORD,
    }
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mooring", "serve"],
            env=inherited() | settings | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Server(port=port, data=data, log=log, process=process)


def inherited() -> dict[str, str]:
    """The environment, without settings of Mooring's and without what keeps Python from keeping what it compiled.

    Compiling all anew takes each process of each server seconds.
    """
    unwanted = ("MOORING_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}


def wait_until_ready(server: Server, deadline: float) -> None:
    end = time.monotonic() + deadline
    while not server.ready():
        code = server.process.poll()
        if code is not None:
            raise ServerFailed(f"exited with {code} before it was ready\n{server.tail()}")
        if time.monotonic() > end:
            raise ServerFailed(f"not ready after {deadline} s\n{server.tail()}")
        time.sleep(0.05)
    if server.process.poll() is not None:
        raise ServerFailed(f"something else answers on port {server.port}: address in use\n{server.tail()}")


def tail(log: Path, lines: int = 100, *, since: int = 0) -> str:
    if not log.exists():
        return "(the disk with the log is gone)"
    return "\n".join(log.read_bytes()[since:].decode(errors="replace").splitlines()[-lines:])


def free_port() -> int:
    """A port nobody listens on at this moment: whoever uses it must be ready to try another."""
    for port in random.sample(PORTS, 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise AssertionError(f"no free port among 100 of {PORTS}")


def processes(group: int) -> list[int]:
    """The processes of a group that still run (a zombie does not)."""
    return [pid for pid, state, owner in _table() if owner == group and state not in "ZX"]


def _table() -> Iterator[tuple[int, str, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                state, _, group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
                yield int(entry.name), state, int(group)
