"""One replica as a process of its own, with whatever clock, key or address a fault gives it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.programs import ROOT
from tests.server import HOST, inherited, processes

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Replica:
    name: str
    port: int
    environment: Mapping[str, str]
    directory: Path
    module: str = "mooring"
    command: str = "serve"
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def log(self) -> Path:
        return self.directory / f"{self.name}.log"

    def start(self, deadline: float = 60, *, ready: bool = True) -> None:
        self.launch()
        if ready:
            self.wait_until_ready(deadline)

    def launch(self) -> None:
        own = {
            "MOORING_HOST": HOST,
            "MOORING_WORKER_PORT" if self.command == "worker" else "MOORING_PORT": str(self.port),
            "MOORING_DATA": str(self.directory / self.name),
            "MOORING_REPLICA": self.name,
            "MOORING_WORKERS": "1",
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module, self.command],
                env={**inherited(), **own, **self.environment},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> None:
        """SIGTERM, as in a rolling restart."""
        if self.process is not None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
            self.kill()

    def kill(self) -> None:
        """SIGKILL to every process of it."""
        if self.process is None:
            return
        while processes(self.process.pid):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            time.sleep(0.01)
        self.process.wait()
        self.process = None

    def readiness(self) -> dict[str, object] | None:
        """What `/readyz` says, or None where nothing answers."""
        try:
            with _direct.open(f"http://{HOST}:{self.port}/readyz", timeout=5) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as answer:
            with suppress(ValueError):
                return dict(json.load(answer))
            return {"ready": False}
        except OSError:
            return None

    def wait_until_ready(self, deadline: float = 60) -> None:
        end = time.monotonic() + deadline
        while (self.readiness() or {}).get("ready") is not True:
            self._go_on_waiting(end, "ready")

    def wait_until_answering(self, deadline: float = 60) -> None:
        """Ready or not."""
        end = time.monotonic() + deadline
        while self.readiness() is None:
            self._go_on_waiting(end, "answering")

    def _go_on_waiting(self, end: float, what: str) -> None:
        assert self.process is not None, "not started"
        if self.process.poll() is not None or time.monotonic() > end:
            raise TimeoutError(f"{self.name} is not {what}\n{self.log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)
