"""Uploads: begun by POST, filled by PATCH, ended by PUT; each request may land on another worker."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from mooring.access.caller import Caller
from mooring.access.permissions import PULL
from mooring.errors import DigestInvalid, MooringError, RangeInvalid, SizeInvalid, TooLarge, Unavailable, UploadUnknown
from mooring.http.body import content_length, stream_body
from mooring.registry import blobs, upload_changes, uploads
from mooring.registry.digests import Digest, Hash, new_hash, parse_digest, require_algorithm
from mooring.registry.endpoints.ranges import parse_chunk
from mooring.registry.names import REPOSITORY
from mooring.registry.registry import Registry, Visit
from mooring.registry.uploads import Upload
from mooring.storage import ObjectBusy, OffsetMismatch, Reserve, Writer, new_key


async def begin_upload(registry: Registry, request: Request, visit: Visit) -> Response:
    query = request.query_params
    if "mount" in query and await _mount(registry, visit, query["mount"], query.get("from", "")):
        return _created(visit, query["mount"])
    single = parse_digest(query["digest"]) if "digest" in query and "mount" not in query else None
    algorithm = single.algorithm if single else require_algorithm(query.get("digest-algorithm", "sha256"))
    upload = await _begin(registry, visit, algorithm)
    if single is None:
        return _accepted(visit, upload, 202)
    try:
        async with registry.store.writing(upload.id) as writer:
            return await _finish(registry, request, visit, upload, writer, single)
    except UploadUnknown:
        # It ended, and the database's answer was lost: what it was for is there.
        if not await _held(registry, visit, single):
            raise
        return _created(visit, str(single))
    except MooringError:
        # Nobody was told of this upload, so nobody can go on with it: it would take space until it is reaped.
        with suppress(MooringError):
            await registry.database.write(uploads.cancel, registry.clock.now(), upload)
        raise


async def get_upload(registry: Registry, _request: Request, visit: Visit) -> Response:
    return _accepted(visit, await _find(registry, visit), 204)


async def append_to_upload(registry: Registry, request: Request, visit: Visit) -> Response:
    async with _alone(registry, visit) as (upload, writer):
        running, size = await _receive(registry, request, visit, upload, writer)
        digest = f"{upload.algorithm}:{running.copy().hexdigest()}" if running else None
        moved = replace(upload, size=size, digest=digest, state=writer.state)
        await _advance(registry, upload, moved, writer.spent)
        if running is not None:
            registry.hashes.keep(upload.id, upload.algorithm, size, running)
    return _accepted(visit, moved, 202)


async def finish_upload(registry: Registry, request: Request, visit: Visit) -> Response:
    if "digest" not in request.query_params:
        raise DigestInvalid("The last request of an upload needs ?digest=.")
    digest = parse_digest(request.query_params["digest"])
    try:
        async with _alone(registry, visit) as (upload, writer):
            return await _finish(registry, request, visit, upload, writer, digest)
    except UploadUnknown:
        # The answer to the first try may have been lost on its way: what it asked for is there.
        if not await _held(registry, visit, digest):
            raise
        return _created(visit, str(digest))


async def _held(registry: Registry, visit: Visit, digest: Digest) -> bool:
    may_know = PULL in visit.standing.permissions
    blob = await registry.database.read(blobs.find, visit.repository, str(digest)) if may_know else None
    return blob is not None


async def cancel_upload(registry: Registry, _request: Request, visit: Visit) -> Response:
    upload = await _find(registry, visit)
    await registry.database.write(uploads.cancel, registry.clock.now(), upload)
    return Response(status_code=204)


async def _begin(registry: Registry, visit: Visit, algorithm: str) -> Upload:
    now, key, subject, write = registry.clock.now(), new_key(), visit.caller.subject, registry.database.write
    repository_id = await write(upload_changes.begin, key, subject, algorithm, now, visit.repository)
    if repository_id is None:
        return await write(uploads.begin, now, key, visit.project_id, visit.repository, subject, algorithm)
    return Upload(key, repository_id, algorithm, 0)


async def _advance(registry: Registry, upload: Upload, to: Upload, spent: Sequence[str]) -> None:
    now, write = registry.clock.now(), registry.database.write
    known = (upload.id, upload.size, upload.state)
    if spent or await write(upload_changes.advance, to.size, to.digest, to.state, now, *known) is None:
        await write(uploads.advance, now, upload, to.size, to.digest, to.state, spent)


async def _end(registry: Registry, upload: Upload, digest: str, size: int, key: str, spent: Sequence[str]) -> None:
    now, delay, write = registry.clock.now(), registry.collection_delay, registry.database.write
    known = (upload.id, upload.size, upload.state)
    if spent or await write(upload_changes.finish, digest, key, size, now, *known, delay) is None:
        await write(uploads.finish, now, upload, digest, size, delay, key, spent)


async def _mount(registry: Registry, visit: Visit, text: str, source: str) -> bool:
    """False begins an upload instead, whatever the reason: nothing is told of other repositories."""
    digest = str(parse_digest(text))
    if source:
        sources = [source] if REPOSITORY.fullmatch(source) else []
    else:
        sources = list(await registry.database.read(blobs.holders, digest))
    for name in sources:
        if not await _may_pull(registry, visit.caller, name):
            continue
        now, delay = registry.clock.now(), registry.collection_delay
        if await registry.database.write(blobs.mount, now, name, visit.project_id, visit.repository, digest, delay):
            return True
    return False


async def _may_pull(registry: Registry, caller: Caller, repository: str) -> bool:
    """By the caller's own rights, within what the token was issued for, or because anybody may."""
    return await registry.authorizer.may(caller, repository, "pull") or await registry.authorizer.may(
        Caller(), repository, "pull"
    )


async def _find(registry: Registry, visit: Visit) -> Upload:
    return await registry.database.read(uploads.find, visit.reference, visit.repository, visit.caller.subject)


@asynccontextmanager
async def _alone(registry: Registry, visit: Visit) -> AsyncIterator[tuple[Upload, Writer]]:
    """The upload and its object, while no other request writes to it: one that came late finds what changed."""
    await _find(registry, visit)
    try:
        async with registry.store.writing(visit.reference) as writer:
            upload = await _find(registry, visit)
            writer.resume(upload.state, _reserving(registry, upload))
            yield upload, writer
    except ObjectBusy as error:
        raise Unavailable("Another request is still writing to this upload.") from error


def _reserving(registry: Registry, upload: Upload) -> Reserve:
    async def reserve(number: int, above: int) -> int:
        return await registry.database.write(uploads.reserve, upload, number, above)

    return reserve


async def _receive(
    registry: Registry, request: Request, visit: Visit, upload: Upload, writer: Writer, last: Digest | None = None
) -> tuple[Hash | None, int]:
    """Append the body; answers the hash of all bytes, if this process has seen them all, and the new size.

    `last` is the digest that ends the upload, if this is the request that does.
    """
    chunk = parse_chunk(request.headers["content-range"]) if "content-range" in request.headers else None
    announced = content_length(request)
    if chunk is not None and chunk.start != upload.size:
        raise _out_of_order(visit, upload)
    if chunk is not None and announced is not None and announced != chunk.length:
        raise SizeInvalid(f"Content-Range covers {chunk.length} bytes, Content-Length is {announced}.")
    limit = registry.settings.blob_limit
    if announced is not None and upload.size + announced > limit:
        raise TooLarge(f"A blob may have {limit} bytes at most.")
    running = registry.hashes.take(upload.id, last.algorithm if last else upload.algorithm, upload.size)
    try:
        size = await writer.append(
            upload.size,
            _body(registry, request),
            running.update if running else _ignore,
            limit=limit,
            last=last is not None,
        )
    except OffsetMismatch as error:
        raise Unavailable("The registry's store has lost a part of this upload.") from error
    if chunk is not None and size - upload.size != chunk.length:
        raise SizeInvalid(f"Content-Range covers {chunk.length} bytes, {size - upload.size} came.")
    return running, size


async def _finish(
    registry: Registry, request: Request, visit: Visit, upload: Upload, writer: Writer, digest: Digest
) -> Response:
    # Also without a body: what a broken request left beyond the upload's end must not become part of the blob.
    running, size = await _receive(registry, request, visit, upload, writer, digest)
    found = f"{digest.algorithm}:{running.hexdigest()}" if running else _known_digest(upload, digest, size)
    if found:
        _require_same(found, digest)
    key = await writer.finish()
    if not found:
        running = new_hash(digest.algorithm)
        await registry.store.digest(key, size, running.update)
        _require_same(f"{digest.algorithm}:{running.hexdigest()}", digest)
    await _end(registry, upload, str(digest), size, key, writer.spent)
    return _created(visit, str(digest))


def _known_digest(upload: Upload, digest: Digest, size: int) -> str:
    """As another process noted it with the last bytes: it saw them all."""
    known = upload.digest if size == upload.size and upload.digest is not None else ""
    return known if known.startswith(f"{digest.algorithm}:") else ""


def _require_same(found: str, digest: Digest) -> None:
    if found != str(digest):
        raise DigestInvalid(f"The content's digest is {found}, not {digest}.")


def _body(registry: Registry, request: Request) -> AsyncIterator[bytes]:
    return stream_body(request, registry.settings.body_timeout_seconds)


def _accepted(visit: Visit, upload: Upload, status: int) -> Response:
    return Response(status_code=status, headers=_progress(visit, upload))


def _created(visit: Visit, digest: str) -> Response:
    location = f"/v2/{quote(visit.repository)}/blobs/{digest}"
    return Response(status_code=201, headers={"location": location, "docker-content-digest": digest})


def _out_of_order(visit: Visit, upload: Upload) -> RangeInvalid:
    return RangeInvalid(f"The next byte of this upload is number {upload.size}.", headers=_progress(visit, upload))


def _progress(visit: Visit, upload: Upload) -> dict[str, str]:
    return {
        "location": f"/v2/{quote(visit.repository)}/blobs/uploads/{upload.id}",
        "range": f"0-{max(0, upload.size - 1)}",
        "docker-upload-uuid": upload.id,
    }


def _ignore(_chunk: bytes) -> None:
    return None
