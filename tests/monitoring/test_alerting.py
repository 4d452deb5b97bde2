"""The whole way of an alert: a fault at a real registry, Prometheus, Alertmanager, a webhook; and its end."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec

from tests.access.backstage import backstage
from tests.access.forgery import claims, es256, token
from tests.api import Api
from tests.monitoring.dashboard import expressions
from tests.monitoring.running import SHIPPED, Watching, watching
from tests.monitoring.test_rules import ALERTS
from tests.programs import Shell, find
from tests.server import Server
from tests.workers import wait_for


@pytest.fixture(scope="module")
def watched(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watching]:
    with watching(tmp_path_factory.mktemp("watching"), [server.address]) as running:
        yield running


def test_the_shipped_files_are_right(tmp_path: Path) -> None:
    shell = Shell(tmp_path, {})
    shell.run(find("promtool"), "check", "config", SHIPPED / "prometheus.yml", merged=True)
    shell.run(find("amtool"), "check-config", SHIPPED / "alertmanager.yml", merged=True)


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_has_a_receiver_by_its_severity(name: str, tmp_path: Path) -> None:
    severity = ALERTS[name]["labels"]["severity"]
    config = f"--config.file={SHIPPED / 'alertmanager.yml'}"
    said = Shell(tmp_path, {}).run(
        find("amtool"), "config", "routes", "test", config, f"alertname={name}", f"severity={severity}"
    )
    assert said.strip() == {"critical": "on-call", "warning": "operators"}[severity]


def test_alertmanager_knows_every_alert_that_it_holds_back() -> None:
    rules = yaml.safe_load((SHIPPED / "alertmanager.yml").read_text())["inhibit_rules"]
    matchers = [matcher for rule in rules for matcher in (*rule["source_matchers"], *rule["target_matchers"])]
    named = {name for matcher in matchers for name in matcher.partition("=")[2].strip('~ "').split("|")}
    assert named
    assert named <= set(ALERTS)


@pytest.mark.replicas
def test_prometheus_answers_every_question_of_the_dashboard(watched: Watching) -> None:
    def answered() -> int:
        return sum(bool(watched.prometheus.query(expression)) for expression in expressions())

    # The rest needs a worker, a fault, or some history.
    wait_for(lambda: answered() > len(expressions()) / 2, "more than half of them have an answer", 30)


@pytest.mark.replicas
def test_a_foreign_token_is_told_to_the_webhook_and_its_end_too(server: Server, watched: Watching) -> None:
    wait_for(lambda: bool(watched.prometheus.query("mooring_refusals_total")), "the registry is scraped", 30)
    hook, prometheus = watched.webhook, watched.prometheus

    def told(status: str) -> bool:
        return any(
            (alert["labels"]["alertname"], alert["labels"].get("reason")) == ("MooringRefusesTokens", "unknown_kid")
            for alert in hook.alerts("/on-call", status)
        )

    assert not told("firing")
    forged = foreign_token(server)
    for _ in range(3):
        reply = Api(server.url, "", "").request("GET", "/v2/", headers={"Authorization": f"Bearer {forged}"})
        assert reply.status == 401
    wait_for(lambda: told("firing"), "the webhook is told", 30)
    assert prometheus.query('ALERTS{alertname="MooringRefusesTokens",alertstate="firing"}')
    wait_for(lambda: told("resolved"), "the webhook is told that it is over", 60)
    # A sound registry gave no other reason to worry.
    assert {alert["labels"]["alertname"] for alert in hook.alerts("/on-call", "firing")} == {"MooringRefusesTokens"}


def foreign_token(server: Server) -> str:
    """By a key that this registry has never seen."""
    with backstage(server.data) as behind:
        now = behind.now // 1_000_000
    return token("another-registry-s", claims(now), es256(ec.generate_private_key(ec.SECP256R1())), {})
