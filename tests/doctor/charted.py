"""The objects that Harbor's chart makes, as far as the doctor reads them, for two cores."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import bcrypt
import yaml

from tests.doctor.harbor import Key

Object = dict[str, Any]

REGISTRY_USER: Final = "harbor_registry_user"
REGISTRY_PASSWORD: Final = "harbor_registry_password"
SECRETS: Final = (
    REGISTRY_PASSWORD,
    "Harbor12345",
    "not-a-secure-key",
    "Kq3vT8nWz5Ry1LmX",
    "Hd7sPb2fGj9cVx4N",
    "upload-secret-1",
)
CHANGED: Final = datetime(2026, 11, 20, 10, tzinfo=UTC)
STARTED: Final = CHANGED + timedelta(seconds=20)


def stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def core_secret(key: Key) -> Object:
    return secret(
        "harbor-core",
        {
            "secretKey": "not-a-secure-key",
            "secret": "Kq3vT8nWz5Ry1LmX",
            "tls.key": key.pem().decode(),
            "tls.crt": "-",
            "HARBOR_ADMIN_PASSWORD": "Harbor12345",
            "REGISTRY_CREDENTIAL_PASSWORD": REGISTRY_PASSWORD,
            "CSRF_KEY": "uXc1Vb2Nm3Qw4Er5Ty6Ui7Op8As9Df0G",
        },
    )


def objects(key: Key) -> list[Object]:
    """All but the pods, which nothing here would start."""
    hashed = bcrypt.hashpw(REGISTRY_PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    config = {"storage": {"filesystem": {"rootdirectory": "/storage"}, "cache": {}}, "http": {"addr": ":5000"}}
    settings = {
        "EXT_ENDPOINT": "https://core.harbor.domain",
        "CORE_LOCAL_URL": "http://127.0.0.1:8080",
        "POSTGRESQL_HOST": "harbor-database",
        "_REDIS_URL_CORE": "redis://harbor-redis:6379/0?idle_timeout_seconds=30",
        "REGISTRY_URL": "http://harbor-registry:5000",
        "REGISTRY_CREDENTIAL_USERNAME": REGISTRY_USER,
    }
    return [
        core_secret(key),
        secret("harbor-jobservice", {"JOBSERVICE_SECRET": "Hd7sPb2fGj9cVx4N"}),
        secret("harbor-registry", {"REGISTRY_HTTP_SECRET": "upload-secret-1"}),
        secret("harbor-registry-htpasswd", {"REGISTRY_HTPASSWD": f"{REGISTRY_USER}:{hashed}"}),
        configmap("harbor-core", settings),
        configmap("harbor-registry", {"config.yml": yaml.safe_dump(config)}),
        claim("ReadWriteMany"),
        deployment("harbor-core", 2, core_pod_spec()),
        deployment("harbor-registry", 1, registry_pod_spec()),
        *(service(name) for name in ("harbor-core", "harbor-registry", "harbor-portal")),
        ingress(),
    ]


def core_pod(name: str, node: str, version: str = "v2.15.2") -> Object:
    return pod(name, core_pod_spec(version) | {"nodeName": node}, "core")


def registry_pod(name: str, node: str) -> Object:
    return pod(name, registry_pod_spec() | {"nodeName": node}, "registry")


def core_pod_spec(version: str = "v2.15.2") -> Object:
    return {
        "automountServiceAccountToken": False,
        "containers": [
            {
                "name": "core",
                "image": f"goharbor/harbor-core:{version}",
                "envFrom": [{"configMapRef": {"name": "harbor-core"}}, {"secretRef": {"name": "harbor-core"}}],
                "env": [
                    {"name": "CORE_SECRET", "valueFrom": reference("harbor-core", "secret")},
                    {"name": "JOBSERVICE_SECRET", "valueFrom": reference("harbor-jobservice", "JOBSERVICE_SECRET")},
                ],
                "ports": [{"containerPort": 8080}],
                "volumeMounts": [
                    {"name": "secret-key", "mountPath": "/etc/core/key", "subPath": "key"},
                    {"name": "token-key", "mountPath": "/etc/core/private_key.pem", "subPath": "tls.key"},
                ],
            }
        ],
        "volumes": [
            {
                "name": "secret-key",
                "secret": {"secretName": "harbor-core", "items": [{"key": "secretKey", "path": "key"}]},
            },
            {"name": "token-key", "secret": {"secretName": "harbor-core"}},
        ],
    }


def registry_pod_spec() -> Object:
    return {
        "automountServiceAccountToken": False,
        "containers": [
            {
                "name": "registry",
                "image": "goharbor/registry-photon:v2.15.2",
                "envFrom": [{"secretRef": {"name": "harbor-registry"}}],
                "volumeMounts": [
                    {"name": "registry-data", "mountPath": "/storage"},
                    {"name": "passwd", "mountPath": "/etc/registry/passwd", "subPath": "passwd"},
                    {"name": "config", "mountPath": "/etc/registry/config.yml", "subPath": "config.yml"},
                ],
            },
            {
                "name": "registryctl",
                "image": "goharbor/harbor-registryctl:v2.15.2",
                "env": [
                    {"name": "CORE_SECRET", "valueFrom": reference("harbor-core", "secret")},
                    {"name": "JOBSERVICE_SECRET", "valueFrom": reference("harbor-jobservice", "JOBSERVICE_SECRET")},
                ],
            },
        ],
        "volumes": [
            {"name": "registry-data", "persistentVolumeClaim": {"claimName": "harbor-registry"}},
            {
                "name": "passwd",
                "secret": {
                    "secretName": "harbor-registry-htpasswd",
                    "items": [{"key": "REGISTRY_HTPASSWD", "path": "passwd"}],
                },
            },
            {"name": "config", "configMap": {"name": "harbor-registry"}},
        ],
    }


def reference(name: str, key: str) -> Object:
    return {"secretKeyRef": {"name": name, "key": key}}


def secret(name: str, values: dict[str, str]) -> Object:
    data = {key: b64encode(value.encode()).decode() for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}


def configmap(name: str, values: dict[str, str]) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": values}


def claim(mode: str) -> Object:
    spec = {"accessModes": [mode], "resources": {"requests": {"storage": "5Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "harbor-registry"}, "spec": spec}


def deployment(name: str, replicas: int, pod_spec: Object) -> Object:
    labels = {"app": "harbor", "component": name.removeprefix("harbor-")}
    template = {"metadata": {"labels": labels, "annotations": {"checksum/secret": "1"}}, "spec": pod_spec}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def revision(deployment: Object, number: int) -> Object:
    """A ReplicaSet of a deployment, for another rendering of its Secret."""
    spec = deployment["spec"]
    labels = spec["selector"]["matchLabels"] | {"pod-template-hash": f"hash{number}"}
    template = spec["template"] | {"metadata": {"labels": labels, "annotations": {"checksum/secret": str(number)}}}
    metadata = {"name": f"{deployment['metadata']['name']}-hash{number}"}
    found = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": found}


def ingress(*, host: str = "core.harbor.domain", tokens: str = "harbor-core") -> Object:
    services = {
        "/api/": "harbor-core",
        "/service/": tokens,
        "/v2/": "harbor-core",
        "/c/": "harbor-core",
        "/": "harbor-portal",
    }
    paths = [
        {"path": path, "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 80}}}}
        for path, service in services.items()
    ]
    spec = {
        "rules": [{"host": host, "http": {"paths": paths}}],
        "tls": [{"hosts": [host], "secretName": "harbor-ingress"}],
    }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "harbor-ingress"},
        "spec": spec,
    }


def pod(name: str, spec: Object, component: str) -> Object:
    metadata = {"name": name, "labels": {"app": "harbor", "component": component}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def portal_pod(name: str, node: str) -> Object:
    container = {"name": "portal", "image": "goharbor/harbor-portal:v2.15.2"}
    spec = {"automountServiceAccountToken": False, "containers": [container], "nodeName": node}
    return pod(name, spec, "portal")


def service(name: str) -> Object:
    spec = {
        "selector": {"app": "harbor", "component": name.removeprefix("harbor-")},
        "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def running(pod: Object, started: datetime) -> Object:
    """What a kubelet would say of it."""
    statuses = [
        {
            "name": container["name"],
            "image": container["image"],
            "imageID": "",
            "ready": True,
            "restartCount": 0,
            "started": True,
            "state": {"running": {"startedAt": stamp(started)}},
        }
        for container in pod["spec"]["containers"]
    ]
    return {"phase": "Running", "startTime": stamp(started), "containerStatuses": statuses}


def lease(node: str, renewed: datetime) -> Object:
    moment = renewed.isoformat(timespec="microseconds").replace("+00:00", "Z")
    spec = {"holderIdentity": node, "leaseDurationSeconds": 40, "renewTime": moment}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": node}, "spec": spec}
