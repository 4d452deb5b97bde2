"""The API of Kubernetes, as one caller may use it."""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

Object = dict[str, Any]
PLURALS: Final = {"NetworkPolicy": "networkpolicies", "Ingress": "ingresses"}


class Answered(Exception):
    """The API server said no. `status` is HTTP's, `message` its own sentence."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(f"{status}: {message}")


@dataclass(frozen=True)
class Kubernetes:
    url: str
    authority: Path
    token: str

    def with_token(self, token: str) -> "Kubernetes":
        return replace(self, token=token)

    def ask(self, method: str, path: str, body: object = None, *, content: str = "application/json") -> Object:
        """One request. Raises Answered for any answer but success."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": content},
        )
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(self.authority))),
        )
        try:
            with opener.open(request, timeout=30) as answer:
                found: Object = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode(errors="replace")
            raise Answered(error.code, _message(text)) from None
        return found

    def get(self, path: str) -> Object:
        return self.ask("GET", path)

    def find(self, path: str) -> Object | None:
        """None where there is no such object."""
        try:
            return self.get(path)
        except Answered as answered:
            if answered.status == 404:
                return None
            raise

    def items(self, path: str) -> list[Object]:
        found: list[Object] = self.get(path)["items"]
        return found

    def create(self, namespace: str, item: Object, *, dry: bool = False) -> Object:
        """Raises Answered for a field that the server does not know, too."""
        options = "?fieldValidation=Strict" + ("&dryRun=All" if dry else "")
        return self.ask("POST", collection(namespace, item) + options, item)

    def merge(self, path: str, change: Mapping[str, Any]) -> Object:
        return self.ask("PATCH", path, dict(change), content="application/merge-patch+json")

    def token_of(self, namespace: str, account: str) -> str:
        """A token of a service account, as a kubelet asks for."""
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
        answer = self.ask("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", asked)
        return str(answer["status"]["token"])


def collection(namespace: str, item: Object) -> str:
    """Where objects of a kind are."""
    version, kind = item["apiVersion"], item["kind"]
    plural = PLURALS.get(kind, f"{kind.lower()}s")
    root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    return f"{root}/namespaces/{namespace}/{plural}"


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text
