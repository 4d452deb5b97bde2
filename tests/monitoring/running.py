"""A real Prometheus, a real Alertmanager and a webhook, on the files that are shipped, where minutes are short."""

import json
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from tests.programs import ROOT, find
from tests.server import HOST, free_port

SHIPPED: Final = ROOT / "deploy" / "prometheus"
MINUTE: Final = 500
"""Milliseconds."""
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Webhook:
    """Receives what Alertmanager sends, by the path that it sends it to."""

    port: int
    received: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def alerts(self, path: str, status: str) -> list[dict[str, Any]]:
        """`status` is firing or resolved."""
        found = [alert for sent_to, body in list(self.received) if sent_to == path for alert in body["alerts"]]
        return [alert for alert in found if alert["status"] == status]


@dataclass(frozen=True)
class Prometheus:
    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Raises HTTPError for one that Prometheus does not understand."""
        with _direct.open(f"{self.url}/api/v1/query?{urlencode({'query': expression})}", timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found


@dataclass(frozen=True)
class Watching:
    prometheus: Prometheus
    webhook: Webhook


@contextmanager
def watching(directory: Path, targets: Sequence[str]) -> Iterator[Watching]:
    with webhook() as hook, alertmanager(directory, hook) as manager, prometheus(directory, targets, manager) as server:
        yield Watching(server, hook)


@contextmanager
def webhook() -> Iterator[Webhook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            made.received.append((self.path, body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return None

    server = ThreadingHTTPServer((HOST, 0), Handler)
    made = Webhook(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def alertmanager(directory: Path, hook: Webhook) -> Iterator[str]:
    """Its address."""
    text = (SHIPPED / "alertmanager.yml").read_text().replace("127.0.0.1:9099", f"{HOST}:{hook.port}")
    config = directory / "alertmanager.yml"
    config.write_text(shortened(text))
    address = f"{HOST}:{free_port()}"
    options = [f"--storage.path={directory / 'alerts'}", f"--web.listen-address={address}", "--cluster.listen-address="]
    with started(directory, "prometheus-alertmanager", f"--config.file={config}", *options):
        wait_until_ready(f"http://{address}/-/ready")
        yield address


@contextmanager
def prometheus(directory: Path, targets: Sequence[str], manager: str) -> Iterator[Prometheus]:
    text = (SHIPPED / "prometheus.yml").read_text().replace("127.0.0.1:9093", manager).replace("15s", f"{MINUTE}ms")
    config = directory / "prometheus.yml"
    config.write_text(re.sub(r"- 127\.0\.0\.1:5000", f"- {targets[0]}", text))
    (directory / "mooring.rules.yml").write_text(shortened((SHIPPED / "mooring.rules.yml").read_text()))
    address = f"{HOST}:{free_port()}"
    options = [f"--storage.tsdb.path={directory / 'series'}", f"--web.listen-address={address}"]
    with started(directory, "prometheus", f"--config.file={config}", *options):
        wait_until_ready(f"http://{address}/-/ready")
        yield Prometheus(f"http://{address}")


def shortened(text: str) -> str:
    """Each time in it, a minute made MINUTE milliseconds."""
    minutes = {"m": 1.0, "h": 60.0, "d": 1440.0, "s": 1 / 60}

    def short(found: re.Match[str]) -> str:
        return f"{round(float(found[1]) * minutes[found[2]] * MINUTE)}ms"

    return re.sub(r"(?<=[\[ ])(\d+)([smhd])\b", short, text)


@contextmanager
def started(directory: Path, name: str, *options: str) -> Iterator[None]:
    log = directory / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen([find(name), *options], cwd=directory, stdout=output, stderr=output)
    try:
        yield
    except BaseException as error:
        error.add_note(log.read_text(errors="replace")[-4000:])
        raise
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(url: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            with _direct.open(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
