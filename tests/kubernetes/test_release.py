"""Installed, upgraded, rolled back, removed: what the API server holds after each. Hooks are `test_hooks.py`'s."""

from typing import Any

import pytest

from tests.kubernetes.api import Object
from tests.kubernetes.release import Release
from tests.programs import Refused

NO_MONITOR: dict[str, Any] = {"serviceMonitor": {"enabled": False}, "prometheusRule": {"enabled": False}}


def template(deployment: Object) -> Any:
    return deployment["spec"]["template"]


def test_an_installed_release_is_what_was_rendered(release: Release) -> None:
    said = release.install("--no-hooks")
    assert "kubectl --namespace" in said
    assert "mooring-generated" in said
    assert release.names("apis/apps/v1/deployments") == ["mooring"]
    assert release.names("api/v1/services") == ["mooring"]
    assert release.names("apis/policy/v1/poddisruptionbudgets") == ["mooring"]
    assert release.deployment()["spec"]["replicas"] == 2
    assert release.config_map()["data"]["MOORING_EXTERNAL_URL"] == "https://registry.example"
    assert release.secret() is None


def test_an_upgrade_and_a_rollback_change_what_they_should(release: Release) -> None:
    release.install("--no-hooks")
    first = release.deployment()
    release.upgrade("--no-hooks", changes={"replicas": 4, "settings": {"log_level": "debug"}})
    second = release.deployment()
    assert second["spec"]["replicas"] == 4
    assert release.config_map()["data"]["MOORING_LOG_LEVEL"] == "debug"
    assert template(second) != template(first)
    release.rollback(1, "--no-hooks")
    third = release.deployment()
    assert third["spec"] == first["spec"]
    assert "MOORING_LOG_LEVEL" not in release.config_map()["data"]
    assert third["metadata"]["uid"] == first["metadata"]["uid"]
    assert release.history() == [(1, "superseded"), (2, "superseded"), (3, "deployed")]


def test_an_upgrade_with_the_same_values_restarts_nothing(release: Release) -> None:
    release.install("--no-hooks")
    first = release.deployment()
    release.upgrade("--no-hooks")
    again = release.deployment()
    assert again["metadata"]["generation"] == first["metadata"]["generation"]
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_every_option_can_be_switched_on_and_off_again(release: Release) -> None:
    """No field that may not change does, such as a selector."""
    release.install("--no-hooks")
    before = release.deployment()
    release.upgrade("--no-hooks", values="full", changes=NO_MONITOR)
    assert release.names("apis/apps/v1/deployments") == ["mooring", "mooring-worker"]
    assert release.names("apis/networking.k8s.io/v1/networkpolicies") == ["mooring"]
    assert release.names("apis/networking.k8s.io/v1/ingresses") == ["mooring"]
    assert release.names("apis/autoscaling/v2/horizontalpodautoscalers") == ["mooring"]
    assert release.deployment()["spec"]["selector"] == before["spec"]["selector"]
    release.rollback(1, "--no-hooks")
    assert release.names("apis/apps/v1/deployments") == ["mooring"]
    assert release.names("apis/networking.k8s.io/v1/networkpolicies") == []
    assert template(release.deployment()) == template(before)


def test_a_scaled_deployment_keeps_its_number_where_autoscaling_decides(release: Release) -> None:
    release.install("--no-hooks", values="full", changes=NO_MONITOR)
    path = f"/apis/apps/v1/namespaces/{release.namespace}/deployments/mooring"
    release.api.merge(f"{path}/scale", {"spec": {"replicas": 5}})
    release.upgrade("--no-hooks", values="full", changes=NO_MONITOR | {"settings": {"log_level": "info"}})
    assert release.deployment()["spec"]["replicas"] == 5


def test_a_refused_upgrade_leaves_what_was_there(release: Release) -> None:
    release.install("--no-hooks")
    before = release.deployment()
    with pytest.raises(Refused, match="unknownfield"):
        release.upgrade("--no-hooks", changes={"extraEnv": [{"name": "A=B", "value": "x", "unknownfield": 1}]})
    assert release.deployment()["spec"] == before["spec"]


def test_removing_the_release_leaves_nothing_but_the_made_secret(release: Release) -> None:
    release.install("--no-hooks")
    made = {"metadata": {"name": "mooring-generated"}, "stringData": {"master.key": "x"}}
    release.api.ask("POST", f"/api/v1/namespaces/{release.namespace}/secrets", made)
    release.uninstall("--no-hooks")
    for kind in ("apis/apps/v1/deployments", "api/v1/services", "api/v1/configmaps", "api/v1/serviceaccounts"):
        assert release.names(kind) == []
    assert release.names("api/v1/secrets") == ["mooring-generated"]
