"""A server as people run it tells them of a push that fails, once, and of the end of that."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests import server as servers
from tests.observe.alerts.receivers import Post, Webhook, webhook
from tests.server import Server, free_port, inherited, processes

pytestmark = pytest.mark.replicas

DELAY = 2


@pytest.fixture(scope="module")
def hook() -> Iterator[Webhook]:
    with webhook() as made:
        yield made


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, hook: Webhook) -> Iterator[Server]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    given = {
        "MOORING_EXTERNAL_URL": url,
        "MOORING_PROBE_INTERVAL_SECONDS": "1",
        "MOORING_ALERT_WEBHOOK": hook.url,
        "MOORING_ALERT_PRIVATE": "true",
        "MOORING_ALERT_INTERVAL_SECONDS": "0.5",
        "MOORING_ALERT_DELAY_SECONDS": str(DELAY),
    }
    server = servers.launch(tmp_path_factory.mktemp("watched") / "data", port, 2, given)
    servers.wait_until_ready(server, 120)
    yield server
    server.kill()


def mooring(server: Server, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
    environment = {**inherited(), "MOORING_DATA": str(server.data), **changes}
    return subprocess.run(
        [sys.executable, "-m", "mooring", *words],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def probes(hook: Webhook) -> list[Post]:
    """Not of workers that were killed."""
    return [post for post in hook.posts if post.json["condition"] == "probe_failing"]


def wait_for(hook: Webhook, server: Server, event: str, number: int = 1) -> list[Post]:
    end = time.monotonic() + 90
    while len(found := [post for post in probes(hook) if post.json["event"] == event]) < number:
        assert time.monotonic() < end, f"{[post.json for post in hook.posts]}\n{server.tail()}"
        time.sleep(0.1)
    return found


def test_a_push_that_fails_is_told_and_so_is_its_end(watched: Server, hook: Webhook) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    assert mooring(watched, "config", "set", "probe_url", nowhere).returncode == 0
    (firing,) = wait_for(hook, watched, "firing")
    assert firing.json["condition"] == "probe_failing"
    assert nowhere in firing.json["text"]
    shown = mooring(watched, "alerts", "--json")
    assert shown.returncode == 1, shown.stderr
    lasting = {each["condition"]: each["notified_at"] for each in json.loads(shown.stdout)}
    assert lasting["probe_failing"]
    # Whoever does the work dies; another one goes on, and nobody is told again.
    workers = [pid for pid in processes(watched.process.pid) if pid != watched.process.pid]
    for pid in workers:
        if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text():
            os.kill(pid, signal.SIGKILL)
    assert mooring(watched, "config", "unset", "probe_url").returncode == 0
    wait_for(hook, watched, "resolved")
    assert [post.json["event"] for post in probes(hook)] == ["firing", "resolved"]
    assert hook.token not in watched.log.read_text()


def settings(hook: Webhook, **more: str) -> Mapping[str, str]:
    return {"MOORING_ALERT_WEBHOOK": hook.url, "MOORING_ALERT_PRIVATE": "true", **more}


def test_a_test_notice_goes_to_every_channel(watched: Server, hook: Webhook) -> None:
    sent = mooring(watched, "alerts", "test", **settings(hook))
    assert (sent.returncode, sent.stdout) == (0, "webhook: sent\n"), sent.stderr
    assert hook.posts[-1].json["event"] == "test"
    more = settings(hook, MOORING_ALERT_MAIL_SERVER=f"smtp://127.0.0.1:{free_port()}")
    partly = mooring(
        watched, "alerts", "test", **more, MOORING_ALERT_MAIL_TO="a@b.example", MOORING_ALERT_MAIL_FROM="c@d.example"
    )
    assert partly.returncode == 1
    assert partly.stdout == "webhook: sent\nmail: the mail server could not be used: ConnectionRefusedError\n"
    nothing = mooring(watched, "alerts", "test")
    assert nothing.returncode == 2
    assert "No channel is set up" in nothing.stderr


def test_the_webhook_is_shown_nowhere(watched: Server, hook: Webhook) -> None:
    for words in (("config", "check"), ("config", "list"), ("alerts",)):
        done = mooring(watched, *words, **settings(hook, MOORING_ALERT_MAIL_PASSWORD="Secret-1"))
        assert hook.token not in done.stdout + done.stderr
        assert "Secret-1" not in done.stdout + done.stderr
