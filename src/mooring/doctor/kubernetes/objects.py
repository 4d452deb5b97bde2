"""What one object says."""

from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mooring.doctor.inside import components
from mooring.doctor.kubernetes.reading import Object, Objects
from mooring.doctor.observations import Component
from mooring.doctor.times import seconds_of


@dataclass(frozen=True)
class Held:
    """A value of a ConfigMap or Secret, and when its object was last changed."""

    content: bytes
    changed_at: float


def changed_at(item: Object) -> float:
    """When its content last changed, by the API server's clock. A label that somebody sets counts as well: Kubernetes
    keeps no times of single fields."""
    metadata = item["metadata"]
    times = [
        seconds_of(entry.get("time"))
        for entry in metadata.get("managedFields") or ()
        if "f:data" in (entry.get("fieldsV1") or {}) or "f:stringData" in (entry.get("fieldsV1") or {})
    ]
    return max([seconds_of(metadata.get("creationTimestamp")), *times])


def component(container: Mapping[str, Any]) -> Component:
    return components.component(str(container.get("image", "")), str(container.get("name", "")))


def started_at(pod: Object, container: str) -> float:
    """When the container that runs now started: what it mounts by `subPath` is as it was then."""
    status = pod.get("status") or {}
    for each in status.get("containerStatuses") or ():
        if each.get("name") == container:
            running = (each.get("state") or {}).get("running") or {}
            if running.get("startedAt"):
                return seconds_of(running["startedAt"])
    return seconds_of(status.get("startTime"))


def running_image(pod: Object, container: Mapping[str, Any]) -> str:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    found = next((each.get("image") for each in statuses if each.get("name") == container.get("name")), None)
    return str(found or container.get("image", ""))


def held(objects: Objects, kind: str, name: str) -> dict[str, Held] | None:
    """What an object holds by key; None where it is not there or may not be read."""
    item = objects.named(kind, name)
    if item is None:
        return None
    when = changed_at(item)
    if kind == "secrets":
        return {key: Held(b64decode(value), when) for key, value in (item.get("data") or {}).items()}
    return {key: Held(str(value).encode(), when) for key, value in (item.get("data") or {}).items()}


def environment(objects: Objects, container: Mapping[str, Any]) -> dict[str, Held]:
    """What a container that started now would get."""
    found: dict[str, Held] = {}
    for source in container.get("envFrom") or ():
        for reference, kind in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
            if named := source.get(reference):
                prefix = str(source.get("prefix") or "")
                values = held(objects, kind, str(named["name"])) or {}
                found |= {prefix + key: value for key, value in values.items()}
    for variable in container.get("env") or ():
        if value := _variable(objects, variable):
            found[str(variable["name"])] = value
    return found


def mounts(pod: Object, container: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Path, kind, object and key of each file that is mounted alone (`subPath`) from a Secret or ConfigMap."""
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
    for mount in container.get("volumeMounts") or ():
        volume = volumes.get(mount["name"]) or {}
        for field, kind, named in (("secret", "secrets", "secretName"), ("configMap", "configmaps", "name")):
            source = volume.get(field)
            if source and mount.get("subPath"):
                items = {str(item["path"]): str(item["key"]) for item in source.get("items") or ()}
                key = items.get(str(mount["subPath"]), str(mount["subPath"]))
                yield str(mount["mountPath"]), kind, str(source.get(named)), key


def _variable(objects: Objects, variable: Mapping[str, Any]) -> Held | None:
    if "value" in variable:
        return Held(str(variable["value"]).encode(), 0)
    source = variable.get("valueFrom") or {}
    for reference, kind in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
        if named := source.get(reference):
            return (held(objects, kind, str(named["name"])) or {}).get(str(named["key"]))
    return None
