"""Manifests, and whether blobs are there, for who was admitted a moment ago: one look, and no task of its own.

It answers what is asked by far the most often. Everything else, and every refusal, is the application's: None says so.
"""

from collections.abc import Coroutine
from typing import Any

from mooring.access.standing import Standing
from mooring.http.prepared import Answer, Headers, lines
from mooring.registry import blobs, manifest_index
from mooring.registry.endpoints.blobs import blob_headers, needs_promise
from mooring.registry.endpoints.manifests import manifest_headers
from mooring.registry.kept import Kept
from mooring.registry.manifest_index import Named
from mooring.registry.registry import Registry

AUTHORIZATION = b"authorization"
UNUSUAL = frozenset({b"if-none-match", b"range", b"expect"})
MANIFESTS, BLOBS = "/manifests", "/blobs"
ROOT = "/v2/"
START = len(ROOT)


class QuickReads:
    def __init__(self, registry: Registry) -> None:
        self._admissions = registry.admissions
        self._read = registry.database.read
        self._registry = registry
        self._pulls = registry.pulls
        self._clock = registry.clock
        self._manifests = Kept()

    def __call__(self, method: str, path: str, headers: Headers) -> Coroutine[Any, Any, Answer | None] | None:
        if method not in ("GET", "HEAD") or not path.startswith(ROOT):
            return None
        place, _, reference = path.rpartition("/")
        if place.endswith(MANIFESTS):
            name = place[START : -len(MANIFESTS)]
            standing = self._admitted(headers, name)
            return self._manifest(name, reference, method) if standing else None
        if method == "HEAD" and place.endswith(BLOBS):
            name = place[START : -len(BLOBS)]
            standing = self._admitted(headers, name)
            return self._blob(name, reference, standing) if standing else None
        return None

    def _admitted(self, headers: Headers, name: str) -> Standing | None:
        authorization = b""
        for field, value in headers:
            if field == AUTHORIZATION:
                if authorization:
                    return None
                authorization = value
            elif field in UNUSUAL:
                return None
        return self._admissions.find(authorization, name)

    async def _manifest(self, name: str, reference: str, method: str) -> Answer | None:
        tag = None if ":" in reference else reference
        by = manifest_index.named_by_digest if tag is None else manifest_index.named_by_tag
        found = await self._read(by, name, reference)
        if found is None:
            return None
        kept = self._manifests.get(found.digest, found.media_type) or await self._whole(name, found)
        if kept is None:
            return None
        if method == "HEAD":
            return Answer(200, kept.fields, b"")
        self._pulls.note(found.id, found.repository_id, tag, self._clock.now())
        return Answer(200, kept.fields, kept.body)

    async def _whole(self, name: str, named: Named) -> Answer | None:
        found = await self._read(manifest_index.by_digest, name, named.digest)
        if found is None or found.media_type != named.media_type:
            return None
        fields = lines(manifest_headers(found.digest, found.media_type, len(found.body)))
        return self._manifests.keep(found.digest, found.media_type, Answer(200, fields, found.body))

    async def _blob(self, name: str, digest: str, standing: Standing) -> Answer | None:
        found = await self._read(blobs.find, name, digest)
        if found is None or needs_promise(self._registry, standing, found):
            return None
        return Answer(200, lines(blob_headers(found.digest, found.size)), b"")
