"""Every object of the chart, as the API server sees it."""

import copy

import pytest

from tests.deploy.charts import Object, render
from tests.kubernetes.api import Answered, Kubernetes

EVERY = ("minimal", "full", "given")
# Kinds that come with the Prometheus operator: no API server knows them by itself.
FOREIGN = ("ServiceMonitor", "PrometheusRule")


@pytest.mark.parametrize("values", EVERY)
def test_the_server_knows_every_field_and_takes_every_value(api: Kubernetes, namespace: str, values: str) -> None:
    stored = [item for item in render(values) if item["kind"] not in FOREIGN]
    assert len(stored) >= 4
    for item in stored:
        api.create(namespace, in_namespace(item, namespace))


def test_a_field_that_kubernetes_does_not_know_is_refused(api: Kubernetes, namespace: str) -> None:
    item = next(item for item in render() if item["kind"] == "Deployment")
    item["spec"]["template"]["spec"]["enableServiceLink"] = False
    with pytest.raises(Answered, match="unknown field"):
        api.create(namespace, in_namespace(item, namespace))


@pytest.mark.parametrize("values", EVERY)
def test_every_pod_meets_the_restricted_standard(api: Kubernetes, namespace: str, values: str) -> None:
    objects = render(values)
    scheduled = [
        item["spec"]["jobTemplate"] | {"metadata": item["metadata"]} for item in objects if item["kind"] == "CronJob"
    ]
    owners = [*(item for item in objects if item["kind"] in ("Deployment", "Job")), *scheduled]
    assert owners
    for owner in owners:
        api.create(namespace, pod_of(owner, api, namespace), dry=True)


def test_a_pod_with_more_rights_is_refused_there(api: Kubernetes, namespace: str) -> None:
    owner = next(item for item in render() if item["kind"] == "Deployment")
    pod = pod_of(owner, api, namespace)
    del pod["spec"]["containers"][0]["securityContext"]["capabilities"]
    with pytest.raises(Answered, match="unrestricted capabilities"):
        api.create(namespace, pod, dry=True)


def pod_of(owner: Object, api: Kubernetes, namespace: str) -> Object:
    """The pod that a Deployment's or a Job's controller would make, whose service account and class are there."""
    template = copy.deepcopy(owner["spec"]["template"])
    account = {"metadata": {"name": template["spec"]["serviceAccountName"]}}
    try:
        api.ask("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", account)
    except Answered as answered:
        if answered.status != 409:
            raise
    priority = template["spec"].get("priorityClassName")
    if priority and api.find(f"/apis/scheduling.k8s.io/v1/priorityclasses/{priority}") is None:
        item = {"metadata": {"name": priority}, "value": 1000}
        api.ask("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", item)
    name = owner["metadata"]["name"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": template["spec"]}


def in_namespace(item: Object, namespace: str) -> Object:
    """What was rendered for another namespace."""
    for subject in item.get("subjects", []):
        subject["namespace"] = namespace
    return item
