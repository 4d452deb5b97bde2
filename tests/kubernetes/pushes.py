"""A load of pushes that try nothing twice, each request on a connection of its own."""

import base64
import hashlib
import http.client
import itertools
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from typing import Final

REPOSITORY: Final = "library/rolling"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
THREADS: Final = 3


@dataclass
class Load:
    address: str
    password: str
    whole: int = 0
    """Pushes that were acknowledged and read back whole."""
    failed: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def work(self) -> None:
        token = ""
        while not self._stop.is_set():
            try:
                token = token or self._token()
                self._push(f"t{next(self._numbers)}", token)
                self.whole += 1
            except (OSError, http.client.HTTPException, Unexpected) as error:
                self.failed.append(f"{type(error).__name__}: {error}")

    def _token(self) -> str:
        credentials = base64.b64encode(f"admin:{self.password}".encode()).decode()
        path = f"/service/token?service=mooring&scope=repository:{REPOSITORY}:pull,push"
        _, body = self._ask("GET", path, 200, authorization=f"Basic {credentials}")
        return str(json.loads(body)["token"])

    def _push(self, tag: str, token: str) -> None:
        blob = secrets.token_bytes(3000)
        digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
        bearer = f"Bearer {token}"
        location, _ = self._ask("POST", f"/v2/{REPOSITORY}/blobs/uploads/", 202, authorization=bearer)
        location, _ = self._ask("PATCH", location, 202, blob, authorization=bearer)
        separator = "&" if "?" in location else "?"
        self._ask("PUT", f"{location}{separator}digest={digest}", 201, b"", authorization=bearer)
        part = {"digest": digest, "size": len(blob), "mediaType": "application/octet-stream"}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": part, "layers": [part]}).encode()
        path = f"/v2/{REPOSITORY}/manifests/{tag}"
        self._ask("PUT", path, 201, manifest, authorization=bearer, **{"content-type": MANIFEST})
        _, read = self._ask("GET", path, 200, authorization=bearer)
        _, bytes_read = self._ask("GET", f"/v2/{REPOSITORY}/blobs/{digest}", 200, authorization=bearer)
        if (read, bytes_read) != (manifest, blob):
            raise Unexpected(f"{tag} came back changed")

    def _ask(self, method: str, path: str, good: int, body: bytes | None = None, **headers: str) -> tuple[str, bytes]:
        connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            connection.request(method, path, body, {"connection": "close", **headers})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status != good:
            raise Unexpected(f"{method} {path}: {answer.status} {content[:300]!r}")
        return _path(answer.headers), content


class Unexpected(Exception):
    pass


def _path(headers: Message) -> str:
    location = headers.get("location") or ""
    return location if location.startswith("/") else "/" + location.partition("://")[2].partition("/")[2]


@contextmanager
def running(address: str, password: str) -> Iterator[Load]:
    load = Load(address, password)
    threads = [threading.Thread(target=load.work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load._stop.set()
        for thread in threads:
            thread.join(60)
