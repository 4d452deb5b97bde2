"""The page about operating: its backup is one, and what it names of logs is all there is."""

import os
import re
import subprocess
import sys
import threading
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from tests.api import Api
from tests.conftest import StartServer
from tests.docs.pages import ROOT, page
from tests.management.pushing import push_image
from tests.server import Server

OPERATING = page("docs/operating.md")
PUSHES_BESIDE = 5
"""How many pushes at least end while the copy is made."""


class Pusher(threading.Thread):
    """Pushes one image after another until it is told to stop."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.pushed: list[str] = []
        self.enough = threading.Event()
        self._server = server
        self._stop_asked = threading.Event()
        self._credentials = b64encode(f"{server.username}:{server.password}".encode()).decode()

    def run(self) -> None:
        for number in count():
            if self._stop_asked.is_set():
                return
            self.pushed.append(push_image(self.send, "library/app", f"v{number}", seed=f"seed {number}"))
            if len(self.pushed) >= PUSHES_BESIDE:
                self.enough.set()

    def stop(self) -> None:
        self._stop_asked.set()
        self.join(30)

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> int:
        given = {"Authorization": f"Basic {self._credentials}", **headers}
        request = urllib.request.Request(self._server.url + path, body, given, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            return int(answer.status)


def backup_script() -> str:
    """As the page has it, with this interpreter and its commands for those of `.venv`."""
    blocks = re.findall(r"^```sh\n(.*?)^```", OPERATING.sections["what-to-back-up"], re.MULTILINE | re.DOTALL)
    (script,) = blocks
    assert script.count(".venv/bin/") == 2
    return (
        str(script)
        .replace(".venv/bin/python", sys.executable)
        .replace(".venv/bin/mooring", f"{sys.executable} -m mooring")
    )


def test_a_backup_of_a_running_server_is_whole_and_can_be_started(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(tmp_path / "data")
    pushing = Pusher(server)
    pushing.start()
    assert pushing.enough.wait(60)
    before = list(pushing.pushed)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MOORING_")}
    done = subprocess.run(
        ["sh", "-euc", backup_script()],
        check=False,
        cwd=tmp_path,
        env=inherited,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert pushing.is_alive(), "pushes went on"
    pushing.stop()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("No faults.\n")
    server.stop()
    restored = start_server(tmp_path / "backup")
    admin = Api(restored.url, restored.username, restored.password)
    for digest in before:
        assert admin.manifest("library/app", digest).status == 200


def test_names_every_event_of_the_log() -> None:
    source = "".join(path.read_text() for path in (ROOT / "src" / "mooring").rglob("*.py"))
    events = set(re.findall(r'\b(?:log\.\w+|say)\(\s*"(\w+)"', source))
    assert "refused" in events
    assert set(re.findall(r"^\| `(\w+)` \| (?:debug|info|warning|error)", OPERATING.text, re.MULTILINE)) == events
