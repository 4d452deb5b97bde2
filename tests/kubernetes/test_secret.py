"""The script that makes the Secret, run with the rights of its service account and no others."""

import base64
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.charts import Object, hook, render
from tests.kubernetes.api import Answered, Kubernetes
from tests.kubernetes.pods import Pod
from tests.kubernetes.test_objects import in_namespace

NAME = "mooring-generated"
JOB = "mooring-make-secret"


@pytest.fixture
def maker(api: Kubernetes, namespace: str) -> Object:
    """The pod of the Job, in a namespace where everything that helm makes before it is there."""
    for item in render():
        if hook(item, "hook") and item["kind"] != "Job":
            api.create(namespace, in_namespace(item, namespace))
    spec: Object = next(item for item in render() if item["metadata"]["name"] == JOB and item["kind"] == "Job")
    pod: Object = spec["spec"]["template"]["spec"]
    return pod


@pytest.fixture
def account(api: Kubernetes, namespace: str, maker: Object) -> Kubernetes:
    """The API as the service account may use it."""
    return api.with_token(api.token_of(namespace, maker["serviceAccountName"]))


def run(api: Kubernetes, namespace: str, maker: Object, directory: Path, *, code: int = 0) -> str:
    process = start(api, namespace, maker, directory)
    output = said(process)
    assert process.returncode == code, output
    return output


def start(api: Kubernetes, namespace: str, maker: Object, directory: Path) -> subprocess.Popen[bytes]:
    return Pod(api, namespace, JOB, maker, directory).start()


def said(process: subprocess.Popen[bytes]) -> str:
    return process.communicate(timeout=60)[0].decode()


def secret(api: Kubernetes, namespace: str) -> Any:
    return api.get(f"/api/v1/namespaces/{namespace}/secrets/{NAME}")


def test_it_makes_a_key_and_a_password(api: Kubernetes, namespace: str, maker: Object, tmp_path: Path) -> None:
    assert "Made the Secret" in run(api, namespace, maker, tmp_path / "pod")
    data = {key: base64.b64decode(value).decode() for key, value in secret(api, namespace)["data"].items()}
    assert data.keys() == {"master.key", "admin-password"}
    assert len(base64.b64decode(data["master.key"].strip(), validate=True)) == 32
    assert len(data["admin-password"]) >= 20


def test_the_server_takes_the_key(api: Kubernetes, namespace: str, maker: Object, tmp_path: Path) -> None:
    from mooring.cluster.master_key import master_key
    from mooring.settings import load

    run(api, namespace, maker, tmp_path / "pod")
    path = tmp_path / "master.key"
    path.write_bytes(base64.b64decode(secret(api, namespace)["data"]["master.key"]))
    key = master_key(load(master_key_file=path), create=False)
    key.require(key.check_value())


def test_running_it_twice_changes_nothing(api: Kubernetes, namespace: str, maker: Object, tmp_path: Path) -> None:
    run(api, namespace, maker, tmp_path / "first")
    before = secret(api, namespace)
    assert "Nothing was changed" in run(api, namespace, maker, tmp_path / "second")
    assert secret(api, namespace) == before


def test_of_many_at_once_one_makes_it(api: Kubernetes, namespace: str, maker: Object, tmp_path: Path) -> None:
    running = [start(api, namespace, maker, tmp_path / str(number)) for number in range(6)]
    outputs = [said(process) for process in running]
    assert [process.returncode for process in running] == [0] * 6, outputs
    assert sorted("Made" in output for output in outputs) == [False] * 5 + [True], outputs


def test_two_namespaces_have_different_keys(api: Kubernetes, namespace: str, maker: Object, tmp_path: Path) -> None:
    run(api, namespace, maker, tmp_path / "first")
    first = secret(api, namespace)["data"]
    api.ask("DELETE", f"/api/v1/namespaces/{namespace}/secrets/{NAME}")
    run(api, namespace, maker, tmp_path / "second")
    second = secret(api, namespace)["data"]
    assert first.keys() == second.keys()
    assert not set(first.values()) & set(second.values())


def test_a_secret_without_the_key_is_named_and_left(
    api: Kubernetes, namespace: str, maker: Object, tmp_path: Path
) -> None:
    api.ask("POST", f"/api/v1/namespaces/{namespace}/secrets", {"metadata": {"name": NAME}, "stringData": {"a": "b"}})
    before = secret(api, namespace)
    output = run(api, namespace, maker, tmp_path / "pod", code=1)
    assert f"{NAME} is there, but holds no master.key" in output
    assert secret(api, namespace) == before


def test_without_its_role_it_says_what_was_refused(
    api: Kubernetes, namespace: str, maker: Object, tmp_path: Path
) -> None:
    """So the Role is what lets it, and nothing else."""
    api.ask("DELETE", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings/{JOB}")
    output = run(api, namespace, maker, tmp_path / "pod", code=1)
    assert "answered 403" in output
    assert "cannot create resource" in output
    assert api.find(f"/api/v1/namespaces/{namespace}/secrets/{NAME}") is None


def test_the_script_prints_no_secret(api: Kubernetes, namespace: str, maker: Object, tmp_path: Path) -> None:
    output = run(api, namespace, maker, tmp_path / "pod")
    for value in secret(api, namespace)["data"].values():
        assert base64.b64decode(value).decode().strip() not in output


def test_the_role_names_these_rights_and_no_more(api: Kubernetes, account: Kubernetes, namespace: str) -> None:
    """What every account may do, here one without a role, is no right of the Role's."""
    api.ask("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "nobody"}})
    nobody = api.with_token(api.token_of(namespace, "nobody"))
    assert [rule for rule in rules(account, namespace) if rule not in rules(nobody, namespace)] == [
        {"verbs": ["create"], "apiGroups": [""], "resources": ["secrets"]},
        {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": [NAME]},
    ]


def rules(account: Kubernetes, namespace: str) -> list[Object]:
    asked = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    answer = account.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", asked)
    assert answer["status"]["incomplete"] is False
    found: list[Object] = answer["status"]["resourceRules"]
    return found


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "secrets", None),
        ("GET", "secrets/other", None),
        ("DELETE", f"secrets/{NAME}", None),
        ("DELETE", "secrets", None),
        ("PUT", f"secrets/{NAME}", {"metadata": {"name": NAME}}),
        ("PATCH", f"secrets/{NAME}", {"data": {}}),
        ("GET", "configmaps", None),
        ("POST", "pods", {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "x", "image": "x"}]}}),
        ("POST", "serviceaccounts/mooring-hooks/token", {"spec": {}}),
        ("GET", "../default/secrets/other", None),
        ("POST", "../default/secrets", {"metadata": {"name": NAME}}),
    ],
)
def test_the_role_allows_nothing_else(
    api: Kubernetes, account: Kubernetes, namespace: str, method: str, path: str, body: Object | None
) -> None:
    for name in (NAME, "other"):
        api.ask("POST", f"/api/v1/namespaces/{namespace}/secrets", {"metadata": {"name": name}})
    target = os.path.normpath(f"/api/v1/namespaces/{namespace}/{path}")
    content = "application/merge-patch+json" if method == "PATCH" else "application/json"
    with pytest.raises(Answered) as refused:
        account.ask(method, target, body, content=content)
    assert refused.value.status == 403, refused.value
    account.get(f"/api/v1/namespaces/{namespace}/secrets/{NAME}")
