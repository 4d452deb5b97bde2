"""What the chart makes: everywhere the same rules, whatever the values."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.charts import (
    CHART,
    VALUES,
    Object,
    environment,
    helm,
    hook,
    kinds,
    mappings,
    one,
    pods,
    render,
    template,
)
from tests.programs import ROOT, Refused

EVERY = ("minimal", "full", "given")
VOLATILE = {
    *("randAlpha", "randAlphaNum", "randNumeric", "randAscii", "randBytes", "randInt", "uuidv4", "now"),
    *("genCA", "genCAWithKey", "genSignedCert", "genSelfSignedCert", "genPrivateKey", "derivePassword"),
    *("htpasswd", "bcrypt", "encryptAES", "lookup", "getHostByName", "Revision", "IsInstall", "IsUpgrade"),
    "Capabilities",
}


@pytest.mark.parametrize("values", EVERY)
def test_helm_finds_nothing_to_complain_about(values: str) -> None:
    helm("lint", "--strict", "--quiet", CHART, "--values", VALUES / f"{values}.yaml")


@pytest.mark.parametrize("values", EVERY)
def test_rendering_twice_gives_the_same_bytes(values: str) -> None:
    assert template(values) == template(values)


def test_no_template_calls_what_differs_between_two_renderings() -> None:
    texts = {path: path.read_text() for path in (CHART / "templates").rglob("*") if path.is_file()}
    assert len(texts) > 10
    for path, text in texts.items():
        called = {word for action in re.findall(r"{{.*?}}", text, re.DOTALL) for word in re.findall(r"[\w]+", action)}
        assert not called & VOLATILE, path


def test_minimal_values_make_what_is_needed_and_no_more() -> None:
    assert kinds([item for item in render() if not hook(item, "hook")]) == [
        "ConfigMap",
        "Deployment",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
    ]


def test_every_option_makes_its_object() -> None:
    assert kinds([item for item in render("full") if not hook(item, "hook")]) == [
        "ConfigMap",
        "ConfigMap",
        "CronJob",
        "Deployment",
        "Deployment",
        "HorizontalPodAutoscaler",
        "Ingress",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "PrometheusRule",
        "Service",
        "Service",
        "ServiceAccount",
        "ServiceMonitor",
    ]


@pytest.mark.parametrize("values", EVERY)
def test_no_template_makes_a_secret(values: str) -> None:
    assert "Secret" not in kinds(render(values))


@pytest.mark.parametrize("values", EVERY)
def test_no_volume_is_mounted_by_sub_path(values: str) -> None:
    """A subPath never changes again: a replaced Secret would not reach the pod."""
    assert not [found for found in mappings(render(values)) if {"subPath", "subPathExpr"} & found.keys()]


@pytest.mark.parametrize("values", EVERY)
def test_every_pod_runs_with_the_least_rights(values: str) -> None:
    found = dict(pods(render(values)))
    assert found
    for name, pod in found.items():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] >= 10000, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & pod.keys(), name
        assert not [volume for volume in pod["volumes"] if "hostPath" in volume], name
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert container["resources"]["limits"]["memory"], name
            assert container["resources"]["requests"]["memory"], name


@pytest.mark.parametrize("values", EVERY)
def test_parts_of_uploads_wait_on_a_disk_with_room_for_them(values: str) -> None:
    """100 uploads at once in each of two workers, 16 MiB of each. Without a medium it is the node's disk."""
    servers = [pod for _, pod in pods(render(values)) if pod["containers"][0].get("args") == ["serve"]]
    assert servers
    for server in servers:
        (mount,) = [each for each in server["containers"][0]["volumeMounts"] if each["mountPath"] == "/tmp"]
        (volume,) = [each for each in server["volumes"] if each["name"] == mount["name"]]
        assert volume["emptyDir"] == {"sizeLimit": "4Gi"}
        assert not mount.get("readOnly")


@pytest.mark.parametrize("values", EVERY)
def test_only_the_job_that_makes_the_secret_gets_a_token(values: str) -> None:
    for name, pod in pods(render(values)):
        assert pod["automountServiceAccountToken"] is (name == "mooring-make-secret"), name


@pytest.mark.parametrize("values", EVERY)
def test_the_names_of_services_do_not_become_settings(values: str) -> None:
    """A Service `mooring` would put MOORING_PORT=tcp://… into every pod of its namespace."""
    for name, pod in pods(render(values)):
        assert pod["enableServiceLinks"] is False, name


@pytest.mark.parametrize("values", EVERY)
def test_every_mounted_volume_is_there_and_used(values: str) -> None:
    for name, pod in pods(render(values)):
        mounted = {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}, name


@pytest.mark.parametrize("values", EVERY)
def test_every_name_is_of_this_release(values: str) -> None:
    objects = render(values, {"fullnameOverride": ""}, release="blue")
    for item in objects:
        assert item["metadata"]["name"].startswith("blue-mooring"), item["metadata"]["name"]
        assert item["metadata"]["labels"]["app.kubernetes.io/instance"] == "blue"
    assert len({(item["kind"], item["metadata"]["name"]) for item in objects}) == len(objects)


def test_the_longest_release_name_still_fits() -> None:
    for item in render(release="r" * 53):
        assert len(item["metadata"]["name"]) <= 63


def test_the_service_reaches_the_servers_and_nobody_else() -> None:
    objects = render("full")
    service = one(objects, "Service", "mooring")
    selector = service["spec"]["selector"]
    reached = [
        item["metadata"]["name"]
        for item in objects
        if item["kind"] in ("Deployment", "Job")
        and selector.items() <= item["spec"]["template"]["metadata"]["labels"].items()
    ]
    assert reached == ["mooring"]
    assert one(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == selector


def test_the_alerts_and_the_dashboard_are_the_shipped_ones() -> None:
    objects = render("full")
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "mooring.rules.yml").read_text())
    assert one(objects, "PrometheusRule")["spec"] == rules
    dashboard = (ROOT / "deploy" / "grafana" / "mooring.json").read_text()
    assert json.loads(one(objects, "ConfigMap", "mooring-dashboard")["data"]["mooring.json"]) == json.loads(dashboard)


@pytest.mark.parametrize("name", ["mooring", "mooring-worker"])
def test_metrics_of_servers_and_workers_are_collected(name: str) -> None:
    objects = render("full")
    monitor, service = one(objects, "ServiceMonitor")["spec"], one(objects, "Service", name)
    (component,) = monitor["selector"]["matchExpressions"]
    labels = service["metadata"]["labels"]
    assert monitor["selector"]["matchLabels"].items() <= labels.items()
    assert labels[component["key"]] in component["values"]
    (port,) = service["spec"]["ports"]
    assert monitor["endpoints"][0]["port"] == port["name"]
    container = one(objects, "Deployment", name)["spec"]["template"]["spec"]["containers"][0]
    assert port["targetPort"] in [each["name"] for each in container["ports"]]


def test_a_worker_is_a_pod_that_answers_probes_where_it_listens() -> None:
    objects = render("full")
    worker = one(objects, "Deployment", "mooring-worker")["spec"]["template"]["spec"]
    container = worker["containers"][0]
    assert container["args"] == ["worker"]
    (port,) = container["ports"]
    assert str(port["containerPort"]) == one(objects, "ConfigMap", "mooring")["data"]["MOORING_WORKER_PORT"]
    asked = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert asked == {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    assert {container[name]["httpGet"]["port"] for name in asked} == {port["name"]}


def test_a_digest_wins_over_a_tag() -> None:
    digest = "sha256:" + "a" * 64
    for _, pod in pods(render(changes={"image": {"digest": digest, "tag": "1.2.3"}})):
        assert [container["image"] for container in pod["containers"]] == [f"registry.example/mooring@{digest}"]


def test_without_a_tag_the_image_is_that_of_the_chart() -> None:
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    for _, pod in pods(render()):
        assert [container["image"] for container in pod["containers"]] == [f"registry.example/mooring:{version}"]


def test_the_chart_is_of_the_version_of_the_program() -> None:
    from mooring import __version__

    assert f'appVersion: "{__version__}"' in (CHART / "Chart.yaml").read_text()


def server(objects: list[Object]) -> Any:
    return one(objects, "Deployment", "mooring")["spec"]


def test_a_rolling_update_takes_no_replica_away_before_its_successor_is_ready() -> None:
    found = server(render())
    assert found["replicas"] == 2
    assert found["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    assert found["minReadySeconds"] > 0


@pytest.mark.parametrize("drain", [5, 30])
def test_a_stopping_pod_drains_and_has_time_for_its_last_requests(drain: int) -> None:
    from mooring.processes import KILL_AFTER_SECONDS

    pod = server(render(changes={"shutdown": {"drainSeconds": drain}}))["template"]["spec"]
    assert pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", str(drain)]
    assert pod["terminationGracePeriodSeconds"] >= drain + KILL_AFTER_SECONDS + 10


def test_probes_ask_what_the_server_answers() -> None:
    container = server(render())["template"]["spec"]["containers"][0]
    paths = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert paths == {
        "startupProbe": {"path": "/livez", "port": "http"},
        "livenessProbe": {"path": "/livez", "port": "http"},
        "readinessProbe": {"path": "/readyz", "port": "http"},
    }
    readiness = container["readinessProbe"]
    assert readiness["periodSeconds"] * readiness["failureThreshold"] <= 5
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 300


def test_settings_are_known_and_hold_no_secret() -> None:
    from mooring.settings import Settings

    given = one(render("full"), "ConfigMap", "mooring")["data"]
    known = {f"MOORING_{name.upper()}" for name in Settings.model_fields}
    assert given.keys() <= known
    assert not {"MOORING_MASTER_KEY", "MOORING_ADMIN_PASSWORD", "MOORING_DATABASE_URL"} & given.keys()
    assert given["MOORING_BLOB_LIMIT"] == "1099511627776"
    assert given["MOORING_COLLECTION"] == "false"
    assert {name: value for name, value in given.items() if not isinstance(value, str)} == {}


def test_a_changed_setting_restarts_the_pods_and_an_unchanged_one_does_not() -> None:
    def checksum(changes: dict[str, Any]) -> Any:
        return server(render(changes=changes))["template"]["metadata"]["annotations"]["checksum/settings"]

    assert checksum({}) == checksum({"replicas": 5})
    assert checksum({}) != checksum({"settings": {"log_level": "debug"}})


def test_a_change_of_the_chart_alone_restarts_nothing(tmp_path: Path) -> None:
    newer = shutil.copytree(CHART, tmp_path / "mooring")
    text = (newer / "Chart.yaml").read_text()
    (newer / "Chart.yaml").write_text(text.replace("\nversion: 0.1.0\n", "\nversion: 9.9.9\n"))
    assert "9.9.9" in (newer / "Chart.yaml").read_text()
    assert server(render(chart=newer))["template"] == server(render())["template"]


def test_secrets_come_from_secrets_alone() -> None:
    for name, pod in pods(render("minimal")):
        found = environment(pod["containers"][0])
        if name == "mooring-make-secret":
            assert found == {}
            continue
        assert found["MOORING_DATABASE_URL"] == {"secretKeyRef": {"name": "mooring-database", "key": "url"}}
        assert found["AWS_SECRET_ACCESS_KEY"] == {
            "secretKeyRef": {"name": "mooring-s3", "key": "AWS_SECRET_ACCESS_KEY"}
        }
        assert found["MOORING_ADMIN_PASSWORD"] == {
            "secretKeyRef": {"name": "mooring-generated", "key": "admin-password", "optional": True}
        }
        assert found["MOORING_REPLICA"] == {"fieldRef": {"fieldPath": "metadata.name"}}
        secret = next(volume["secret"] for volume in pod["volumes"] if volume["name"] == "secrets")
        assert secret == {"secretName": "mooring-generated", "defaultMode": 0o440}


def test_a_database_by_host_keeps_its_password_out_of_the_address() -> None:
    found = environment(server(render("full"))["template"]["spec"]["containers"][0])
    assert found["MOORING_DATABASE_URL"] == (
        "postgresql://mooring@postgres.example:5432/mooring?sslmode=verify-full&sslrootcert=/etc/ssl/database/ca.crt"
    )
    assert found["PGPASSWORD"] == {"secretKeyRef": {"name": "mooring-database", "key": "password"}}
    assert "AWS_ACCESS_KEY_ID" not in found


def test_given_secrets_are_used_and_none_is_made() -> None:
    objects = render("given")
    assert not {"Role", "RoleBinding", "Job"} & set(kinds(objects))
    pod = one(objects, "Deployment", "harbour")["spec"]["template"]["spec"]
    assert next(volume["secret"]["secretName"] for volume in pod["volumes"] if volume["name"] == "secrets") == "vault"
    assert one(objects, "ConfigMap")["data"]["MOORING_MASTER_KEY_FILE"].endswith("/key")


def test_a_shared_directory_is_mounted_where_the_store_is() -> None:
    pod = one(render("given"), "Deployment")["spec"]["template"]["spec"]
    assert {"name": "store", "mountPath": "/var/lib/mooring/objects"} in pod["containers"][0]["volumeMounts"]
    assert {"name": "store", "persistentVolumeClaim": {"claimName": "images"}} in pod["volumes"]


def test_autoscaling_decides_the_number_of_replicas_alone() -> None:
    objects = render("full")
    assert "replicas" not in one(objects, "Deployment", "mooring")["spec"]
    scaler = one(objects, "HorizontalPodAutoscaler")["spec"]
    assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "mooring"}
    assert scaler["minReplicas"] >= 2


def test_replicas_spread_over_nodes_and_zones() -> None:
    constraints = server(render())["template"]["spec"]["topologySpreadConstraints"]
    assert {item["topologyKey"] for item in constraints} == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
    for item in constraints:
        assert (
            item["labelSelector"]["matchLabels"].items() <= server(render())["template"]["metadata"]["labels"].items()
        )


def test_the_ingress_takes_its_host_from_the_address_and_lets_large_bodies_through() -> None:
    ingress = one(render("full"), "Ingress")
    assert ingress["spec"]["rules"][0]["host"] == "registry.example"
    assert ingress["spec"]["tls"] == [{"hosts": ["registry.example"], "secretName": "mooring-tls"}]
    annotations = ingress["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/proxy-body-size"] == "0"
    assert annotations["nginx.ingress.kubernetes.io/proxy-request-buffering"] == "off"


def test_the_network_policy_lets_in_the_port_that_is_served() -> None:
    objects = render("full")
    policy = one(objects, "NetworkPolicy")["spec"]
    container = server(objects)["template"]["spec"]["containers"][0]
    assert policy["ingress"][0]["ports"][0]["port"] in [port["name"] for port in container["ports"]]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert {entry["port"] for rule in policy["egress"] for entry in rule.get("ports", [])} == {53, 443, 5000, 5432}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"image": {"repository": ""}}, "image.repository is needed"),
        ({"externalUrl": ""}, "externalUrl is needed"),
        ({"database": {"existingSecret": ""}}, "database.existingSecret is needed"),
        ({"store": {"url": ""}}, "store.url is needed"),
        ({"store": {"existingClaim": "images"}}, "store.existingClaim needs a store.url of the form file:///"),
        ({"externalUrl": "registry.example"}, "externalUrl"),
        ({"replicas": 1}, "replicas"),
        ({"replica": 3}, "replica"),
        ({"image": {"digest": "latest"}}, "digest"),
        ({"settings": {"database_url": "postgresql://u:p@h/d"}}, "database_url"),
        ({"settings": {"admin_password": "x"}}, "admin_password"),
        ({"settings": {"alert_webhook": "https://hooks.example/x"}}, "alert_webhook"),
        ({"settings": {"alert_mail_password": "x"}}, "alert_mail_password"),
        ({"probe": {"enabled": True}}, "probe.existingSecret is needed"),
        ({"shutdown": {"workerKillSeconds": 5}}, "workerKillSeconds"),
        ({"topologySpreadConstraints": [{"maxSkew": 1}]}, "topologySpreadConstraints"),
    ],
)
def test_wrong_values_are_refused_by_name(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(Refused, match=text.split(maxsplit=1)[0]) as refused:
        template(changes=changes)
    assert text in refused.value.output


def test_the_readme_names_every_value() -> None:
    readme = (CHART / "README.md").read_text()
    values: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    missing = [name for name in names(values) if f"| `{name}` |" not in readme]
    assert missing == []


def names(values: dict[str, Any], before: str = "") -> list[str]:
    """Of values as README.md lists them: tables of open form are one value."""
    found: list[str] = []
    for key, value in values.items():
        path = f"{before}{key}"
        if isinstance(value, dict) and value and not path.endswith(("esources", "ontext", "nnotations", "Probe")):
            found += names(value, f"{path}.")
        else:
            found.append(path)
    return found


def test_the_probe_has_the_robot_and_nothing_of_the_registry_s() -> None:
    objects = render("full")
    job = one(objects, "CronJob", "mooring-probe")["spec"]
    assert job["concurrencyPolicy"] == "Forbid"
    assert job["jobTemplate"]["spec"]["backoffLimit"] == 0
    pod = job["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"] == [
        "probe", "https://registry.example:8443", "--repository", "library/mooring-probe", "--count", "2",
    ]  # fmt: skip
    assert "envFrom" not in container
    assert environment(container) == {
        "MOORING_PROBE_USERNAME": {"secretKeyRef": {"name": "mooring-probe", "key": "username"}},
        "MOORING_PROBE_PASSWORD": {"secretKeyRef": {"name": "mooring-probe", "key": "password"}},
    }
    policy = one(objects, "NetworkPolicy")["spec"]["podSelector"]["matchExpressions"][0]
    component = job["jobTemplate"]["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]
    assert component not in policy["values"], "it goes out to the registry's address, whatever port that has"


def test_servers_know_their_own_address_where_that_is_wanted() -> None:
    found = environment(server(render("full"))["template"]["spec"]["containers"][0])
    assert found["POD_IP"] == {"fieldRef": {"fieldPath": "status.podIP"}}
    assert found["MOORING_ADDRESS"] == "http://$(POD_IP):5000"
    policy = one(render("full"), "NetworkPolicy")["spec"]
    own = {
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "mooring", "app.kubernetes.io/instance": "mooring"}}
    }
    assert [own] in [rule.get("from") for rule in policy["ingress"]]
    assert [own] in [rule.get("to") for rule in policy["egress"]]
    assert "MOORING_ADDRESS" not in environment(server(render())["template"]["spec"]["containers"][0])


def test_the_schema_is_migrated_in_two_phases_around_the_roll() -> None:
    jobs = {item["metadata"]["name"]: item for item in render() if "-migrate-" in item["metadata"]["name"]}
    assert {name: hook(item, "hook") for name, item in jobs.items()} == {
        "mooring-migrate-before": "pre-install,pre-upgrade",
        "mooring-migrate-after": "post-upgrade",
    }
    words = {name: item["spec"]["template"]["spec"]["containers"][0]["args"] for name, item in jobs.items()}
    assert words["mooring-migrate-before"] == ["migrate", "--phase", "before"]
    assert words["mooring-migrate-after"][:4] == ["migrate", "--phase", "after", "--wait"]
    for item in jobs.values():
        assert 0 < item["spec"]["backoffLimit"] < 10
    assert int(words["mooring-migrate-after"][4]) < jobs["mooring-migrate-after"]["spec"]["activeDeadlineSeconds"]
