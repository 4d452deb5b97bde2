"""A release of the chart in a namespace, driven by helm."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.deploy.charts import CHART, VALUES, helm
from tests.kubernetes.api import Kubernetes, Object
from tests.kubernetes.cluster import Cluster


@dataclass(frozen=True)
class Release:
    cluster: Cluster
    namespace: str
    name: str = "mooring"

    @property
    def api(self) -> Kubernetes:
        return self.cluster.api

    def install(self, *options: str, values: str = "minimal", changes: Mapping[str, Any] | None = None) -> str:
        return self._apply("install", options, values, changes)

    def upgrade(self, *options: str, values: str = "minimal", changes: Mapping[str, Any] | None = None) -> str:
        return self._apply("upgrade", options, values, changes)

    def _apply(self, verb: str, options: tuple[str, ...], values: str, changes: Mapping[str, Any] | None) -> str:
        files = ("--values", str(VALUES / f"{values}.yaml"), "--values", "-")
        return self.helm(verb, self.name, str(CHART), *files, *options, stdin=json.dumps(changes or {}))

    def rollback(self, revision: int, *options: str) -> str:
        return self.helm("rollback", self.name, str(revision), *options)

    def uninstall(self, *options: str) -> str:
        return self.helm("uninstall", self.name, *options)

    def history(self) -> list[tuple[int, str]]:
        """Revisions with their states, oldest first."""
        found = json.loads(self.helm("history", self.name, "--output", "json"))
        return [(item["revision"], item["status"]) for item in found]

    def helm(self, *arguments: str, stdin: str | None = None) -> str:
        """Raises Refused with helm's own words."""
        there = ("--kubeconfig", str(self.cluster.kubeconfig), "--namespace", self.namespace)
        return helm(*arguments, *there, stdin=stdin)

    # What the server holds.

    def deployment(self, name: str = "mooring") -> Object:
        return self.api.get(f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{name}")

    def config_map(self, name: str = "mooring") -> Object:
        return self.api.get(f"/api/v1/namespaces/{self.namespace}/configmaps/{name}")

    def secret(self, name: str = "mooring-generated") -> Object | None:
        return self.api.find(f"/api/v1/namespaces/{self.namespace}/secrets/{name}")

    def value(self, secret: str, key: str) -> str:
        found = self.secret(secret)
        assert found is not None
        return base64.b64decode(found["data"][key]).decode()

    def names(self, collection: str) -> list[str]:
        """Of a collection such as `apis/apps/v1/deployments`."""
        root, _, plural = collection.rpartition("/")
        return sorted(
            item["metadata"]["name"] for item in self.api.items(f"/{root}/namespaces/{self.namespace}/{plural}")
        )
