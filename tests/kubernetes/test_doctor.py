"""A Harbor's objects on a real API server, read with the Role that is shipped."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from mooring.cli.main import application
from tests.doctor import charted
from tests.doctor.charted import Object
from tests.doctor.harbor import Harbor, built, make_key
from tests.doctor.standing import standing
from tests.kubernetes.api import Answered, Kubernetes
from tests.kubernetes.beside import beside, kubeconfig

ROLE = Path(__file__).parents[2] / "deploy" / "doctor" / "role.yaml"
PODS = ("harbor-core-a", "harbor-core-b")
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


@pytest.fixture(scope="module")
def harbor() -> Iterator[Harbor]:
    with standing(built(make_key(), make_key())) as running:
        yield running


@pytest.fixture
def place(request: pytest.FixtureRequest, api: Kubernetes, harbor: Harbor) -> Iterator[str]:
    """A namespace with a sound Harbor of two cores."""
    name = "harbor-" + re.sub("[^a-z0-9]+", "-", request.node.name.lower())[:40].strip("-")
    api.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    # A controller that is not there would make it.
    create(api, name, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}})
    for item in charted.objects(harbor.key):
        create(api, name, item)
    for document in yaml.safe_load_all(ROLE.read_text()):
        grant(api, name, document)
    later = datetime.now(UTC) + timedelta(seconds=30)
    for number, pod in enumerate(PODS, start=1):
        run(api, name, charted.core_pod(pod, f"{name}-{number}"), later)
        lease(api, f"{name}-{number}", datetime.now(UTC))
    run(api, name, charted.registry_pod("harbor-registry-a", f"{name}-1"), later)
    run(api, name, charted.portal_pod("harbor-portal-a", f"{name}-1"), later)
    yield name
    for number in (1, 2):
        api.ask("DELETE", f"{LEASES}/{name}-{number}")


def create(api: Kubernetes, namespace: str, item: Object) -> None:
    plural = {"PersistentVolumeClaim": "persistentvolumeclaims", "Ingress": "ingresses"}
    root = f"/api/{item['apiVersion']}" if "/" not in item["apiVersion"] else f"/apis/{item['apiVersion']}"
    kind = plural.get(item["kind"], f"{item['kind'].lower()}s")
    api.ask("POST", f"{root}/namespaces/{namespace}/{kind}?fieldValidation=Strict", item)


def grant(api: Kubernetes, namespace: str, document: Object) -> None:
    """What is shipped, for this namespace instead of `harbor`."""
    item = json.loads(json.dumps(document).replace('"namespace": "harbor"', f'"namespace": "{namespace}"'))
    home = item["metadata"]["namespace"]
    if home != namespace:
        item["metadata"]["name"] = namespace
        if "roleRef" in item:
            item["roleRef"]["name"] = namespace
    create(api, home, item)


def run(api: Kubernetes, namespace: str, pod: Object, started: datetime) -> None:
    create(api, namespace, pod)
    status = {"status": charted.running(pod, started)}
    api.merge(f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}/status", status)


def lease(api: Kubernetes, node: str, renewed: datetime) -> None:
    api.ask("POST", LEASES, charted.lease(node, renewed))


def examined(api: Kubernetes, harbor: Harbor, namespace: str, directory: Path, *words: str, **logs: str) -> Any:
    token = api.token_of(namespace, "mooring-doctor")
    ports = {name: core.port for name, core in zip(PODS, harbor.cores, strict=True)}
    named = {name.replace("_", "-"): text for name, text in logs.items()}
    with beside(api, named, ports) as url:
        config = kubeconfig(directory / "kubeconfig", url, token)
        options = ["--namespace", namespace, "--kubeconfig", str(config), "--output", "json", *words]
        done = CliRunner().invoke(application, ["doctor", *options])
    assert done.exit_code in {0, 1}, (done.output, done.exception)
    assert not [secret for secret in charted.SECRETS if secret in done.output]
    return json.loads(done.output)


def causes(report: Any) -> set[str]:
    return {finding["cause"] for finding in report["findings"]}


def test_a_sound_harbor_and_a_role_that_is_enough(api: Kubernetes, harbor: Harbor, place: str, tmp_path: Path) -> None:
    report = examined(api, harbor, place, tmp_path)
    assert report["findings"] == []
    assert report["gaps"] == []
    looked = {check["id"] for check in report["checks"] if check["state"] == "clear"}
    assert looked >= {"keys", "key-files", "keys-in-use", "stale-keys", "node-clocks", "registry-password", "logs"}


def test_the_role_only_reads(api: Kubernetes, place: str) -> None:
    reader = api.with_token(api.token_of(place, "mooring-doctor"))
    assert reader.items(f"/api/v1/namespaces/{place}/secrets")
    tries = [
        ("DELETE", f"/api/v1/namespaces/{place}/secrets/harbor-core", None),
        ("POST", f"/api/v1/namespaces/{place}/configmaps", {"metadata": {"name": "x"}}),
        ("GET", "/api/v1/namespaces/default/pods", None),
        ("POST", f"/api/v1/namespaces/{place}/pods/harbor-core-a/proxy/c/login", None),
    ]
    for method, path, body in tries:
        with pytest.raises(Answered) as refused:
            reader.ask(method, path, body)
        assert refused.value.status == 403, (method, path)


def test_a_secret_changed_after_a_core_started(api: Kubernetes, harbor: Harbor, place: str, tmp_path: Path) -> None:
    """The core that is older holds the key of before, and its own tokens prove it."""
    path = f"/api/v1/namespaces/{place}/pods/harbor-core-a"
    old = datetime.now(UTC) - timedelta(hours=1)
    api.merge(f"{path}/status", {"status": charted.running(api.get(path), old)})
    report = examined(api, harbor, place, tmp_path)
    assert causes(report) == {"RC1"}
    (finding,) = report["findings"]
    assert any("harbor-core-a had started" in line for line in finding["evidence"])


def test_a_core_that_signs_with_another_key(api: Kubernetes, harbor: Harbor, place: str, tmp_path: Path) -> None:
    harbor.second.key = harbor.other_key
    try:
        report = examined(api, harbor, place, tmp_path)
    finally:
        harbor.second.key = harbor.key
    (finding,) = report["findings"]
    assert (finding["cause"], finding["confidence"]) == ("RC1", "certain")
    assert any("pod harbor-core-b" in line and harbor.other_key.kid in line for line in finding["evidence"])


def test_a_node_whose_clock_is_wrong(api: Kubernetes, harbor: Harbor, place: str, tmp_path: Path) -> None:
    wrong = charted.lease(f"{place}-2", datetime.now(UTC) + timedelta(seconds=95))
    api.merge(f"{LEASES}/{place}-2", {"spec": {"renewTime": wrong["spec"]["renewTime"]}})
    assert causes(examined(api, harbor, place, tmp_path)) == {"RC2"}


def test_logs_are_searched(api: Kubernetes, harbor: Harbor, place: str, tmp_path: Path) -> None:
    line = "2026-11-20T10:00:00Z [ERROR]: pq: sorry, too many clients already"
    assert causes(examined(api, harbor, place, tmp_path, harbor_core_b=line)) == {"RC7"}


def test_a_bundle_of_a_namespace(api: Kubernetes, harbor: Harbor, place: str, tmp_path: Path) -> None:
    harbor.second.key = harbor.other_key
    try:
        token = api.token_of(place, "mooring-doctor")
        with beside(api, {}, {name: core.port for name, core in zip(PODS, harbor.cores, strict=True)}) as url:
            config = kubeconfig(tmp_path / "kubeconfig", url, token)
            words = ["collect", str(tmp_path / "bundle"), "--namespace", place, "--kubeconfig", str(config)]
            done = CliRunner().invoke(application, ["doctor", *words])
            assert done.exit_code == 0, (done.output, done.exception)
    finally:
        harbor.second.key = harbor.key
    done = CliRunner().invoke(application, ["doctor", "--bundle", str(tmp_path / "bundle"), "--output", "json"])
    assert causes(json.loads(done.output)) == {"RC1"}


def test_an_account_without_the_role_is_told_so(api: Kubernetes, harbor: Harbor, place: str, tmp_path: Path) -> None:
    create(api, place, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "other"}})
    config = kubeconfig(tmp_path / "kubeconfig", api.url, "wrong")
    config.write_text(config.read_text().replace("server:", f'certificate-authority: "{api.authority}", server:'))
    for token in (api.token_of(place, "other"), "wrong"):
        config.write_text(re.sub(r'token: "[^"]*"', f'token: "{token}"', config.read_text()))
        words = ["--namespace", place, "--kubeconfig", str(config)]
        done = CliRunner().invoke(application, ["doctor", *words])
        assert "can't be listed" in str(done.exception)
