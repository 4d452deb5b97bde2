from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mooring.access.permissions import PUSH
from mooring.access.standing import Standing
from mooring.errors import BlobUnknown, Conflict, MethodNotAllowed, Unavailable
from mooring.http.body import send_body
from mooring.http.prepared import Headers, Prepared, is_known
from mooring.registry import blobs
from mooring.registry.blobs import Blob
from mooring.registry.digests import parse_digest
from mooring.registry.endpoints.ranges import ByteRange, parse_range
from mooring.registry.registry import Registry, Visit
from mooring.storage import ObjectMissing, Store

_ALWAYS = (
    (b"accept-ranges", b"bytes"),
    (b"cache-control", b"private, max-age=31536000, immutable"),
    (b"content-type", b"application/octet-stream"),
    (b"x-content-type-options", b"nosniff"),
)


async def get_blob(registry: Registry, request: Request, visit: Visit) -> Response:
    blob = await registry.database.read(blobs.find, visit.repository, str(parse_digest(visit.reference)))
    if blob is None:
        raise BlobUnknown
    await _keep(registry, visit, blob)
    whole = blob_headers(blob.digest, blob.size)
    headers = whole[:-1]
    if is_known(request.scope, blob.digest.encode()):
        return Prepared(304, headers)
    part = parse_range(request.headers.get("range"), blob.size) if blob.size else None
    if request.method == "HEAD":
        return Prepared(200, whole)
    if elsewhere := await registry.store.address(blob.object_key):
        return Response(status_code=307, headers={"location": elsewhere, "docker-content-digest": blob.digest})
    return BlobResponse(registry.store, blob, part, headers, registry.settings.body_timeout_seconds)


def blob_headers(digest: str, size: int) -> Headers:
    named = digest.encode()
    own = [(b"docker-content-digest", named), (b"etag", b'"%b"' % named)]
    return [*own, *_ALWAYS, (b"content-length", b"%d" % size)]


async def delete_blob(registry: Registry, _request: Request, visit: Visit) -> Response:
    digest = str(parse_digest(visit.reference))
    try:
        await registry.database.write(blobs.unlink, registry.clock.now(), visit.repository, digest)
    except Conflict as conflict:
        # The specification leaves 405 for a blob that may not be deleted now.
        raise MethodNotAllowed(conflict.text, allowed=("GET", "HEAD")) from conflict
    return Response(status_code=202, headers={"docker-content-digest": digest})


async def _keep(registry: Registry, visit: Visit, blob: Blob) -> None:
    """A pusher that is told "it is there" will not send it again: let no review take it before the manifest comes."""
    if needs_promise(registry, visit.standing, blob):
        now, delay = registry.clock.now(), registry.collection_delay
        await registry.database.write(blobs.renew, now, blob.repository_id, blob.digest, delay)


def needs_promise(registry: Registry, standing: Standing, blob: Blob) -> bool:
    if blob.review_at is None or PUSH not in standing.permissions:
        return False
    return blob.review_at < registry.clock.now() + registry.collection_delay // 2


class BlobResponse(Prepared):
    """A blob or a part of it."""

    def __init__(
        self, store: Store, blob: Blob, part: ByteRange | None, headers: Headers, patience_seconds: float
    ) -> None:
        self._store = store
        self._blob = blob
        self._part = part
        self._patience = patience_seconds
        length = part.length if part else blob.size
        own = [(b"content-length", b"%d" % length)]
        if part:
            own.append((b"content-range", b"bytes %d-%d/%d" % (part.start, part.end, blob.size)))
        super().__init__(206 if part else 200, [*headers, *own])

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await self._require_whole()
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        start, length = (self._part.start, self._part.length) if self._part else (0, self._blob.size)
        await send_body(self._store.read(self._blob.object_key, start, length), receive, send, self._patience)

    async def _require_whole(self) -> None:
        """Before the first byte: afterwards nothing can be said any more."""
        try:
            size = await self._store.size(self._blob.object_key)
        except ObjectMissing:
            size = -1
        if size != self._blob.size:
            raise Unavailable(f"The registry's store can't give the blob {self._blob.digest} right now.")
