"""The registries that are measured, started beside each other on one disk, each on a fresh directory."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from bench.wire import Address, Line, Unexpected

ROOT = Path(__file__).parent.parent
PASSWORD = "Bench-1-" + base64.b32encode(os.urandom(15)).decode()
ADMIN = ("admin", PASSWORD)
START = 60  # seconds a registry may take until it answers


class Missing(Exception):
    """A registry is not installed; the message says how to get it."""


@dataclass(frozen=True, slots=True)
class Registry:
    name: str
    version: str
    address: Address
    authorised: bool = False
    pid: int = 0
    """Of its first process; 0 where others started it."""
    files: Path | None = None
    """Of what is no registry, but sends the files of this directory: it takes part in pulls alone."""
    acts_like: str = ""
    """The name of what is measured here in another setting, and only where that matters: in pushes."""

    def processes(self) -> list[int]:
        """The first one and those that came of it."""
        found = [self.pid]
        for pid in found:
            found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return found

    def fields(self, repository: str = "library/bench", actions: str = "pull,push") -> bytes:
        """Header fields that authorise: a fresh token from Mooring, nothing for a peer."""
        if not self.authorised:
            return b""
        with Line(self.address, basic(*ADMIN)) as line:
            target = f"/service/token?service=mooring&scope=repository:{repository}:{actions}"
            answer = line.ask("GET", target).expect(200, "token")
        return f"Authorization: Bearer {json.loads(answer.body)['token']}\r\n".encode()


def basic(name: str, secret: str) -> bytes:
    return b"Authorization: Basic " + base64.b64encode(f"{name}:{secret}".encode()) + b"\r\n"


def mooring(directory: Path, running: ExitStack, further: Mapping[str, str] = MappingProxyType({})) -> Registry:
    """`further` settings are `MOORING_` variables without their prefix."""
    program = Path(sys.executable).parent / "mooring"
    if not program.exists():
        raise Missing("`make install`")
    port = free_port()
    settings = {"PORT": str(port), "DATA": str(directory / "data"), "ADMIN_PASSWORD": PASSWORD, **further}
    process = running.enter_context(started([str(program), "serve"], directory, settings))
    version = version_of(program, "version")
    registry = Registry("Mooring", version, ("127.0.0.1", port), authorised=True, pid=process.pid)
    wait_for(registry, "/readyz", process, directory)
    return registry


def peer(entry: str) -> Registry:
    """`name=http://host:port` or `name@version=http://host:port`: already running, open to all."""
    name, _, url = entry.partition("=")
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise SystemExit(f"PEERS takes name=http://host:port, separated by spaces; not {entry!r}")
    name, _, version = name.partition("@")
    registry = Registry(name, version or "as given", (parts.hostname, parts.port or 80))
    wait_for(registry, "/v2/")
    return registry


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(command: list[str], directory: Path, settings: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a registry with `settings` as its only MOORING_ variables; its output goes to `log`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MOORING_", "OTEL_"))}
    environment = kept | {f"MOORING_{key}": value for key, value in settings.items()}
    environment["OTEL_TRACES_EXPORTER"] = "none"  # else distribution v3 looks for a collector
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=directory, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            print(f"{command[0]} did not stop in 30 s and was killed", file=sys.stderr)
            process.kill()
            process.wait()


def version_of(program: str | Path, argument: str) -> str:
    said = subprocess.run([program, argument], stdout=subprocess.PIPE, text=True, timeout=120, check=True).stdout
    return said.split()[-1].strip("()") if said.split() else "unknown"


def wait_for(
    registry: Registry,
    target: str,
    process: subprocess.Popen[bytes] | None = None,
    directory: Path | None = None,
) -> None:
    deadline, reason = time.monotonic() + START, "it ended"
    while time.monotonic() < deadline and not (process and process.poll() is not None):
        try:
            with Line(registry.address) as line:
                line.ask("GET", target).expect(200, target)
        except (OSError, Unexpected) as error:
            reason = str(error)
            time.sleep(0.1)
        else:
            return
    log = (directory / "log").read_text(errors="replace")[-2000:] if directory else ""
    raise SystemExit(f"{registry.name} does not answer {target}: {reason}\n{log}")
