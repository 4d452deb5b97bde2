"""A Harbor as the objects of its namespace describe it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mooring.doctor.inside.components import version
from mooring.doctor.inside.htpasswd import tried
from mooring.doctor.inside.keyfile import judged
from mooring.doctor.inside.marks import Marker
from mooring.doctor.inside.storage import described
from mooring.doctor.kubernetes.objects import (
    Held,
    changed_at,
    component,
    environment,
    held,
    mounts,
    running_image,
    started_at,
)
from mooring.doctor.kubernetes.reading import Object, Objects
from mooring.doctor.observations import (
    Instance,
    KeyFile,
    Kubernetes,
    NodeClock,
    Route,
    SecretMount,
    Service,
    Value,
    Workload,
)
from mooring.doctor.times import seconds_of
from mooring.errors import Unavailable

KEY_PATH: Final = "/etc/core/private_key.pem"
SLACK_SECONDS: Final = 5
"""By so much a container may seem to start before a change that it has seen: its node's clock is another."""
CORE_PORT: Final = 8080


@dataclass(frozen=True)
class Part:
    """A container of Harbor in a pod that runs."""

    pod: Object
    container: Mapping[str, Any]
    started: float

    @property
    def pod_name(self) -> str:
        return str(self.pod["metadata"]["name"])

    @property
    def node(self) -> str:
        return str(self.pod["spec"].get("nodeName") or "")

    @property
    def port(self) -> int:
        ports = self.container.get("ports") or ()
        return int(ports[0]["containerPort"]) if ports else CORE_PORT


def parts(objects: Objects) -> list[Part]:
    """Raises Unavailable when there is no core among them."""
    found = [
        Part(pod, container, started_at(pod, str(container["name"])))
        for pod in objects.of("pods")
        if (pod.get("status") or {}).get("phase") in {"Running", "Pending", None}
        for container in pod["spec"]["containers"]
        if component(container) != "other"
    ]
    if not any(component(part.container) == "core" for part in found):
        raise Unavailable(f"The namespace {objects.namespace} has no pod of a Harbor core.")
    return found


def instances(objects: Objects, found: Sequence[Part], marker: Marker) -> list[Instance]:
    given = {id(part): environment(objects, part.container) for part in found}
    cores = [(part.pod_name, given[id(part)]) for part in found if component(part.container) == "core"]
    return [_instance(objects, part, given[id(part)], cores, marker) for part in found]


def cluster(objects: Objects, found: Sequence[Part]) -> Kubernetes:
    cores = [part for part in found if component(part.container) == "core"]
    return Kubernetes(
        namespace=objects.namespace,
        server_version=objects.version,
        mounts=tuple(mount for part in cores for mount in _secret_mounts(objects, part)),
        workloads=tuple(_workloads(objects)),
        clocks=tuple(_clocks(objects, {part.node for part in cores})),
        services=tuple(_services(objects)) if "services" in objects.kinds else None,
        routes=tuple(_route(ingress) for ingress in objects.of("ingresses")),
        rerolled=_rerolled(objects),
        template_made=tuple(_template_made(objects)),
    )


def _known(part: Part, value: Held) -> bool:
    """Whether the container has what the object holds now, or may have what it held before."""
    return value.changed_at <= part.started + SLACK_SECONDS


def _instance(
    objects: Objects,
    part: Part,
    given: Mapping[str, Held],
    cores: Sequence[tuple[str, Mapping[str, Held]]],
    marker: Marker,
) -> Instance:
    kind = component(part.container)
    image = running_image(part.pod, part.container)
    files = {path: (objects_kind, name, key) for path, objects_kind, name, key in mounts(part.pod, part.container)}
    statuses = (part.pod.get("status") or {}).get("containerStatuses") or ()
    status: Mapping[str, Any] = next((each for each in statuses if each.get("name") == part.container["name"]), {})
    accepted: Sequence[str] = ()
    refused: Sequence[str] = ()
    kept: dict[str, Value] = {}
    storage = ""
    if kind == "core" and (key := _file(objects, part, files.get("/etc/core/key"))):
        kept["key"] = marker.value("key", key.decode("latin-1"))
    if kind == "registry":
        accepted, refused = tried(_file(objects, part, files.get("/etc/registry/passwd")), _shown(cores))
        plain = {name: value.content.decode("utf-8", "replace") for name, value in given.items() if _known(part, value)}
        storage, secret = described(_file(objects, part, files.get("/etc/registry/config.yml")), plain)
        if secret:
            kept["http_secret"] = marker.value("http_secret", secret)
    return Instance(
        name=part.pod_name if kind != "registryctl" else f"{part.pod_name}/registryctl",
        component=kind,
        place=objects.namespace,
        image=image,
        version=version(image),
        environment={
            name: marker.value(name, value.content.decode("utf-8", "replace"))
            for name, value in given.items()
            if _known(part, value)
        },
        files=kept,
        token_key=_token_key(objects, part, given, files) if kind == "core" else None,
        started_at=part.started,
        ready=bool(status.get("ready", True)),
        restarts=int(status.get("restartCount") or 0),
        passwd_accepts=tuple(accepted),
        passwd_refuses=tuple(refused),
        storage=storage,
    )


def _token_key(
    objects: Objects, part: Part, given: Mapping[str, Held], files: Mapping[str, tuple[str, str, str]]
) -> KeyFile | None:
    """None where the pod may hold what the Secret held before: `_secret_mounts` says that."""
    path = given["TOKEN_PRIVATE_KEY_PATH"].content.decode() if "TOKEN_PRIVATE_KEY_PATH" in given else KEY_PATH
    source = files.get(path)
    if source is None:
        return None
    kind, name, key = source
    values = held(objects, kind, name)
    if values is None:
        return None
    value = values.get(key)
    if value is None:
        return KeyFile(path, "missing", detail=f"{name} has no {key}")
    return judged(path, value.content) if _known(part, value) else None


def _file(objects: Objects, part: Part, source: tuple[str, str, str] | None) -> bytes | None:
    if source is None:
        return None
    kind, name, key = source
    value = (held(objects, kind, name) or {}).get(key)
    return value.content if value is not None and _known(part, value) else None


def _shown(cores: Sequence[tuple[str, Mapping[str, Held]]]) -> Iterator[tuple[str, str, str]]:
    for core, given in cores:
        name, password = given.get("REGISTRY_CREDENTIAL_USERNAME"), given.get("REGISTRY_CREDENTIAL_PASSWORD")
        if name is not None and password is not None:
            yield core, name.content.decode(), password.content.decode()


def _secret_mounts(objects: Objects, part: Part) -> list[SecretMount]:
    found = []
    for path, kind, name, key in mounts(part.pod, part.container):
        item = objects.named(kind, name) if kind == "secrets" else None
        if item is not None:
            found.append(SecretMount(part.pod_name, name, key, path, changed_at(item), part.started))
    return found


def _workloads(objects: Objects) -> list[Workload]:
    found = []
    claims = {claim["metadata"]["name"]: claim for claim in objects.of("claims")}
    for item in (*objects.of("deployments"), *objects.of("statefulsets")):
        pod = item["spec"]["template"]["spec"]
        kinds = {component(container) for container in pod["containers"]} - {"other"}
        if not kinds:
            continue
        status = item.get("status") or {}
        named = [
            str(volume["persistentVolumeClaim"]["claimName"])
            for volume in pod.get("volumes") or ()
            if "persistentVolumeClaim" in volume
        ]
        modes = {name: _modes(claims[name]) for name in named if name in claims}
        managers = {str(entry.get("manager")) for entry in item["metadata"].get("managedFields") or ()}
        found.append(
            Workload(
                name=str(item["metadata"]["name"]),
                component="registry" if "registry" in kinds else min(kinds),
                replicas=int(item["spec"].get("replicas") or 1),
                ready=int(status.get("readyReplicas") or 0),
                updated=int(status.get("updatedReplicas") or 0),
                claims=tuple(f"{name}: {', '.join(each)}" for name, each in modes.items()),
                single_writer_claims=tuple(name for name, each in modes.items() if "ReadWriteMany" not in each),
                own_directories=tuple(
                    str(volume["name"])
                    for volume in pod.get("volumes") or ()
                    if "emptyDir" in volume and volume["name"] == "registry-data"
                ),
                managers=tuple(sorted(managers)),
            )
        )
    return found


def _modes(claim: Object) -> list[str]:
    return [str(mode) for mode in claim["spec"].get("accessModes") or ()]


def _clocks(objects: Objects, nodes: set[str]) -> list[NodeClock]:
    """A lease has the time by the node's clock, and the time by the API server's at which it was written down."""
    found = []
    for lease in objects.of("leases"):
        name = str(lease["metadata"]["name"])
        renewed = seconds_of((lease.get("spec") or {}).get("renewTime"))
        written = max(
            (seconds_of(entry.get("time")) for entry in lease["metadata"].get("managedFields") or ()), default=0
        )
        if name in nodes and renewed and written:
            # The server writes whole seconds.
            found.append(NodeClock(name, round(renewed - written - 0.5, 3), 1.0))
    return found


def _services(objects: Objects) -> Iterator[Service]:
    for item in objects.of("services"):
        wanted = (item.get("spec") or {}).get("selector") or {}
        chosen = [
            str(pod["metadata"]["name"])
            for pod in objects.of("pods")
            if wanted and wanted.items() <= (pod["metadata"].get("labels") or {}).items()
        ]
        yield Service(str(item["metadata"]["name"]), tuple(chosen))


def _route(ingress: Object) -> Route:
    spec = ingress["spec"]
    paths: dict[str, str] = {}
    hosts = []
    for rule in spec.get("rules") or ():
        hosts.append(str(rule.get("host") or ""))
        for path in (rule.get("http") or {}).get("paths") or ():
            service = (path.get("backend") or {}).get("service") or {}
            paths[str(path.get("path") or "/")] = str(service.get("name") or "")
    annotations = {
        str(name): str(value)
        for name, value in (ingress["metadata"].get("annotations") or {}).items()
        if "/" in name and "last-applied" not in name
    }
    return Route(
        name=str(ingress["metadata"]["name"]),
        kind="Ingress",
        hosts=tuple(host for host in hosts if host),
        paths=paths,
        annotations=annotations,
        tls=bool(spec.get("tls")),
    )


def _rerolled(objects: Objects) -> dict[str, int]:
    """By workload: how many revisions of the last day differ in their Secrets and in nothing that a person changes."""
    found: dict[str, dict[str, set[str]]] = {}
    newest = max(
        (seconds_of(each["metadata"].get("creationTimestamp")) for each in objects.of("replicasets")), default=0
    )
    for each in objects.of("replicasets"):
        template = each["spec"]["template"]
        sums = (template["metadata"].get("annotations") or {}).get("checksum/secret")
        made = seconds_of(each["metadata"].get("creationTimestamp"))
        if not sums or newest - made > 86_400:
            continue
        images = ",".join(sorted(str(container["image"]) for container in template["spec"]["containers"]))
        owners = each["metadata"].get("ownerReferences") or ()
        owner = str(owners[0]["name"]) if owners else str(each["metadata"]["name"]).rpartition("-")[0]
        found.setdefault(owner, {}).setdefault(images, set()).add(str(sums))
    return {owner: max(len(sums) for sums in by_image.values()) for owner, by_image in found.items()}


def _template_made(objects: Objects) -> list[str]:
    """Secrets of the chart that hold a token key beside what else the chart makes: a key that each rendering makes."""
    return [
        str(secret["metadata"]["name"])
        for secret in objects.of("secrets")
        if {"tls.key", "CSRF_KEY"} <= set(secret.get("data") or {})
    ]
