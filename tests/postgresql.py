"""A real PostgreSQL server of the tests' own: in a temporary directory, on a free port, with fsync on."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

from tests import programs
from tests.server import HOST, free_port

INITIALIZED: Final = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
SETTINGS: Final = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "fsync": "on",
    "max_connections": "100",
    "log_min_messages": "warning",
}
STOP_SECONDS: Final = 120.0
"""Its last checkpoint waits for a disk that others use too."""


@dataclass
class PostgreSQL:
    directory: Path
    port: int
    process: subprocess.Popen[bytes]

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@{HOST}:{self.port}/{database}"

    def create(self) -> str:
        """A new, empty database; its address."""
        name = f"t{uuid.uuid4().hex[:16]}"
        self.run(f"CREATE DATABASE {name}")
        return self.url(name)

    def run(self, statement: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload,unused-ignore]

    def stop(self, *, fast: bool = True) -> None:
        """`fast` ends every session in order; otherwise it dies as in a crash, with its children."""
        self.process.send_signal(signal.SIGINT if fast else signal.SIGQUIT)
        self.process.wait(STOP_SECONDS)

    def start(self) -> None:
        """The same server again, on the same port."""
        self.process = _launch(self.directory, self.port)
        _wait(self)

    def pause(self) -> None:
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in [self.process.pid, *map(int, children)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


@contextlib.contextmanager
def running() -> Iterator[PostgreSQL]:
    """Skips, with a line that says how to get it, where PostgreSQL is not installed."""
    initdb = programs.find("initdb")
    parent = Path(tempfile.mkdtemp(prefix="mooring-postgresql-"))
    directory = parent / "data"
    try:
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(parent, account.pw_uid, account.pw_gid)
        subprocess.run(
            [initdb, "--pgdata", directory, *INITIALIZED],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=parent,
            user=_user(),
        )
        port = free_port()
        server = PostgreSQL(directory, port, _launch(directory, port))
        try:
            _wait(server)
            yield server
        finally:
            server.resume()
            if server.process.poll() is None:
                server.stop(fast=False)
    finally:
        shutil.rmtree(parent, ignore_errors=True)


def _launch(directory: Path, port: int) -> subprocess.Popen[bytes]:
    settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
    with (directory.parent / "log").open("ab") as log:
        return subprocess.Popen(
            [programs.find("postgres"), "-D", directory, "-p", str(port), *settings],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=directory.parent,
            user=_user(),
            start_new_session=True,
        )


def _user() -> str | None:
    """PostgreSQL refuses to run as root."""
    return "postgres" if os.geteuid() == 0 else None


def _wait(server: PostgreSQL, deadline: float = 60) -> None:
    end = time.monotonic() + deadline
    while True:
        try:
            psycopg.connect(server.url(), connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            code = server.process.poll()
            if code is not None or time.monotonic() > end:
                log = (server.directory.parent / "log").read_text(errors="replace")
                raise AssertionError(f"PostgreSQL did not start (exit {code})\n{log[-2000:]}") from None
            time.sleep(0.05)
