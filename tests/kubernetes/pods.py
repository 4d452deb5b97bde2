"""Runs a container of a pod as a process here: a kubelet's work without the container.

Everything comes from the API server: the environment from its ConfigMaps and Secrets, volumes as directories with what
it holds, the token of the pod's service account. A path below a mount becomes one below that directory.
"""

import base64
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.kubernetes.api import Kubernetes, Object


@dataclass(frozen=True)
class Pod:
    api: Kubernetes
    namespace: str
    name: str
    spec: Object
    directory: Path
    overrides: Mapping[str, str] = field(default_factory=dict)
    module: str = "mooring"
    """What its image starts."""

    @property
    def container(self) -> Object:
        (only,) = self.spec["containers"]
        found: Object = only
        return found

    def start(self, output: IO[bytes] | int = subprocess.PIPE) -> subprocess.Popen[bytes]:
        """Raises KeyError where a Secret, a ConfigMap or a key is not there: such a container does not start."""
        places = dict(self._places())
        environment = {name: _moved(value, places) for name, value in self._environment()}
        return subprocess.Popen(
            # The interpreter is this machine's, also where its path begins like that of a mount.
            [word if word == sys.executable else _moved(word, places) for word in self._command()],
            env={"PATH": os.environ["PATH"], "HOME": str(self.directory)} | environment | dict(self.overrides),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _command(self) -> list[str]:
        # What the image starts where the pod names no command.
        given = self.container.get("command") or [sys.executable, "-m", self.module]
        command = [sys.executable if word == "python3" else word for word in given]
        command += self.container.get("args", [])
        if self.spec.get("automountServiceAccountToken"):
            command.append(f"--account={self._account()}")
        return command

    def _account(self) -> Path:
        directory = self.directory / "account"
        directory.mkdir(parents=True)
        (directory / "token").write_text(self.api.token_of(self.namespace, self.spec["serviceAccountName"]))
        (directory / "namespace").write_text(self.namespace)
        (directory / "ca.crt").write_bytes(self.api.authority.read_bytes())
        return directory

    def _environment(self) -> Iterator[tuple[str, str]]:
        host, _, port = self.api.url.removeprefix("https://").rpartition(":")
        yield "KUBERNETES_SERVICE_HOST", host
        yield "KUBERNETES_SERVICE_PORT", port
        for source in self.container.get("envFrom", []):
            yield from self._held("configmaps", source["configMapRef"]["name"]).items()
        for entry in self.container.get("env", []):
            value = self._value(entry)
            if value is not None:
                yield entry["name"], value

    def _value(self, entry: Object) -> str | None:
        if "valueFrom" not in entry:
            return str(entry["value"])
        source = entry["valueFrom"]
        if "fieldRef" in source:
            return {"metadata.name": self.name}[source["fieldRef"]["fieldPath"]]
        reference = source["secretKeyRef"]
        held = self._held("secrets", reference["name"], optional=reference.get("optional", False))
        return held.get(reference["key"]) if reference.get("optional") else held[reference["key"]]

    def _places(self) -> Iterator[tuple[str, Path]]:
        volumes = {volume["name"]: volume for volume in self.spec["volumes"]}
        for mount in self.container["volumeMounts"]:
            directory = self.directory / mount["name"]
            directory.mkdir(parents=True)
            for name, content in self._content(volumes[mount["name"]]).items():
                (directory / name).write_text(content)
            yield mount["mountPath"], directory

    def _content(self, volume: Object) -> dict[str, str]:
        if "secret" in volume:
            return self._held("secrets", volume["secret"]["secretName"])
        if "configMap" in volume:
            return self._held("configmaps", volume["configMap"]["name"])
        assert "emptyDir" in volume, volume
        return {}

    def _held(self, plural: str, name: str, *, optional: bool = False) -> dict[str, str]:
        found = self.api.find(f"/api/v1/namespaces/{self.namespace}/{plural}/{name}")
        if found is None:
            if optional:
                return {}
            raise KeyError(f"{plural} {name}")
        data: dict[str, str] = found.get("data") or {}
        if plural == "secrets":
            return {key: base64.b64decode(value).decode() for key, value in data.items()}
        return data


def _moved(text: str, places: Mapping[str, Path]) -> str:
    for path, directory in places.items():
        if text == path or text.startswith(f"{path}/"):
            return f"{directory}{text.removeprefix(path)}"
    return text
