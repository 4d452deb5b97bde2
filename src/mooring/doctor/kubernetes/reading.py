"""The objects of a namespace, read once. What may not be read is a gap, not an end."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mooring.doctor.kubernetes.kubeconfig import Access
from mooring.doctor.observations import Gap, Grant
from mooring.doctor.outside.asking import SERVICE, answer, content
from mooring.doctor.outside.tokens import decoded
from mooring.doctor.texts import same
from mooring.egress.client import Egress, Reply
from mooring.errors import Unavailable

Object = dict[str, Any]

KINDS: Final[Mapping[str, str]] = {
    "pods": "/api/v1/namespaces/{namespace}/pods",
    "secrets": "/api/v1/namespaces/{namespace}/secrets",
    "configmaps": "/api/v1/namespaces/{namespace}/configmaps",
    "services": "/api/v1/namespaces/{namespace}/services",
    "claims": "/api/v1/namespaces/{namespace}/persistentvolumeclaims",
    "deployments": "/apis/apps/v1/namespaces/{namespace}/deployments",
    "statefulsets": "/apis/apps/v1/namespaces/{namespace}/statefulsets",
    "replicasets": "/apis/apps/v1/namespaces/{namespace}/replicasets",
    "ingresses": "/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses",
    "leases": "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases",
}
LIST_LIMIT: Final = 64 << 20
LOG_LIMIT: Final = 32 << 20
LOG_SECONDS: Final = 86_400
TOKENS: Final = 2


@dataclass(frozen=True)
class Objects:
    namespace: str
    version: str = ""
    kinds: Mapping[str, Sequence[Object]] = field(default_factory=dict)

    def of(self, kind: str) -> Sequence[Object]:
        return self.kinds.get(kind, ())

    def named(self, kind: str, name: str) -> Object | None:
        return next((each for each in self.of(kind) if each["metadata"]["name"] == name), None)


@dataclass(frozen=True)
class Cluster:
    """The API server, asked with GET alone."""

    egress: Egress
    access: Access

    async def objects(self, namespace: str) -> tuple[Objects, list[Gap]]:
        """Raises Unavailable when not even pods can be listed."""
        found: dict[str, Sequence[Object]] = {}
        gaps = []
        for kind, path in KINDS.items():
            reply = await self.get(path.format(namespace=namespace))
            listed = content(reply)
            if isinstance(listed, dict):
                found[kind] = listed.get("items") or ()
            elif kind == "pods":
                raise Unavailable(f"The pods of {namespace} can't be listed at {self.access.url}: {_why(reply)}")
            else:
                gaps.append(Gap(same(kind), same(_why(reply))))
        version = content(await self.get("/version"))
        number = str(version.get("gitVersion", "")) if isinstance(version, dict) else ""
        return Objects(namespace, number, found), gaps

    async def log(self, namespace: str, pod: str, container: str) -> tuple[str, str]:
        """The last day of it, or why not."""
        query = f"container={container}&sinceSeconds={LOG_SECONDS}&limitBytes={LOG_LIMIT}&timestamps=true"
        reply = await self.get(f"/api/v1/namespaces/{namespace}/pods/{pod}/log?{query}", limit=LOG_LIMIT)
        return (reply.body.decode("utf-8", "replace"), "") if reply.status == 200 else ("", _why(reply))

    async def tokens(self, namespace: str, pod: str, port: int) -> tuple[Grant, ...]:
        """Tokens for nobody from one core, through the API server: they name the key that it really holds."""
        found = []
        for _ in range(TOKENS):
            path = f"/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy/service/token"
            reply = await self.get(f"{path}?service={SERVICE}&scope=repository:library/mooring-doctor:pull")
            if reply.status in {0, 403, 404, 502, 503}:
                break
            _, claims = decoded(reply.body) if reply.status == 200 else (None, None)
            found.append(Grant(answer(reply, body=reply.status != 200), claims))
        return tuple(found)

    async def get(self, path: str, *, limit: int = LIST_LIMIT) -> Reply:
        headers = {"accept": "application/json, */*"}
        if self.access.token:
            headers["authorization"] = f"Bearer {self.access.token}"
        return await self.egress.ask("GET", self.access.url + path, headers=headers, limit=limit)


def _why(reply: Reply) -> str:
    if not reply.status:
        return f"{reply.trouble} {reply.detail}".strip()
    try:
        return f"{reply.status} {json.loads(reply.body)['message']}"
    except (ValueError, KeyError, TypeError):
        return str(reply.status)
