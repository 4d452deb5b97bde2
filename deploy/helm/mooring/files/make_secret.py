"""Makes the Secret with the master key and the first administrator's password, unless it is there.

Run by a hook Job with its service account, which may create Secrets and read this one: nothing else.
The cluster decides between two that run at once, so what is there is never replaced.
"""

import argparse
import base64
import json
import os
import secrets
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path

MASTER_KEY_BYTES = 32
PASSWORD_BYTES = 18
TIMEOUT_SECONDS = 30
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class Cluster:
    """The API server, as the pod's service account may use it."""

    def __init__(self, account: Path) -> None:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        self.namespace = (account / "namespace").read_text().strip()
        self._token = (account / "token").read_text().strip()
        bracketed = f"[{host}]" if ":" in host else host
        self._secrets = f"https://{bracketed}:{port}/api/v1/namespaces/{self.namespace}/secrets"
        context = ssl.create_default_context(cafile=str(account / "ca.crt"))
        # No proxy: the token must reach the API server and nobody else.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    def create(self, secret: dict[str, object]) -> bool:
        """True where it was made now, False where one of its name is there. Raises HTTPError."""
        try:
            self._ask("POST", "", json.dumps(secret).encode())
        except urllib.error.HTTPError as error:
            if error.code == 409:
                return False
            raise
        return True

    def keys(self, name: str) -> set[str]:
        """The names of what a Secret holds. Raises HTTPError."""
        held = json.loads(self._ask("GET", f"/{name}", None)).get("data") or {}
        return {key for key, value in held.items() if value}

    def _ask(self, method: str, path: str, body: bytes | None) -> bytes:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self._secrets + path, data=body, headers=headers, method=method)
        with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            content: bytes = answer.read()
        return content


def main() -> int:
    asked = parse()
    cluster = Cluster(asked.account)
    where = f"{cluster.namespace}/{asked.name}"
    try:
        if cluster.create(secret(asked)):
            print(f"Made the Secret {where}. Keep a copy of its {asked.master_key}: without it no backup can be used.")
            return 0
        if asked.master_key not in cluster.keys(asked.name):
            print(f"The Secret {where} is there, but holds no {asked.master_key}. Add it or name another Secret.")
            return 1
    except urllib.error.HTTPError as error:
        print(f"The API server answered {error.code} for the Secret {where}: {error.read().decode(errors='replace')}")
        return 1
    except urllib.error.URLError as error:
        print(f"The API server can't be reached: {error.reason}")
        return 1
    print(f"The Secret {where} is there. Nothing was changed.")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="the Secret's name")
    parser.add_argument("--master-key", required=True, help="its key for the master key")
    parser.add_argument("--admin-password", required=True, help="its key for the first administrator's password")
    parser.add_argument("--label", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--account", type=Path, default=ACCOUNT, help="where the service account is mounted")
    return parser.parse_args()


def secret(asked: argparse.Namespace) -> dict[str, object]:
    values = {
        asked.master_key: base64.b64encode(secrets.token_bytes(MASTER_KEY_BYTES)).decode() + "\n",
        asked.admin_password: password(),
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {"name": asked.name, "labels": dict(label.split("=", 1) for label in asked.label)},
        "stringData": values,
    }


def password() -> str:
    """At random, with what Mooring asks of a password."""
    made = secrets.token_urlsafe(PASSWORD_BYTES)
    return made if all(any(map(kind, made)) for kind in (str.isupper, str.islower, str.isdigit)) else password()


if __name__ == "__main__":
    sys.exit(main())
