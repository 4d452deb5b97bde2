from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from mooring.errors import DigestInvalid, ManifestUnknown, UriTooLong
from mooring.http.body import read_body
from mooring.http.prepared import Headers, Prepared, is_known
from mooring.observe.audit.log import Act, noted
from mooring.registry import manifest_index
from mooring.registry.digests import Digest, digest_of, parse_digest
from mooring.registry.manifest_index import Push, StoredManifest
from mooring.registry.manifests import parse_manifest
from mooring.registry.names import known_tag, require_tag
from mooring.registry.registry import Registry, Visit

MOST_TAGS = 100


async def get_manifest(registry: Registry, request: Request, visit: Visit) -> Response:
    tag = None if ":" in visit.reference else known_tag(visit.reference)
    found = await _find(registry, visit, tag)
    if found is None:
        raise ManifestUnknown(f"{visit.repository} has no manifest {visit.reference[:160]}.")
    headers = manifest_headers(found.digest, found.media_type, len(found.body))
    if is_known(request.scope, found.digest.encode()):
        return Prepared(304, headers[:-1])
    if request.method == "HEAD":
        return Prepared(200, headers)
    registry.pulls.note(found.id, found.repository_id, tag, registry.clock.now())
    return Prepared(200, headers, found.body)


def manifest_headers(digest: str, media_type: str, length: int) -> Headers:
    named = digest.encode()
    return [
        (b"content-type", media_type.encode("latin-1")),
        (b"docker-content-digest", named),
        (b"etag", b'"%b"' % named),
        (b"x-content-type-options", b"nosniff"),
        (b"content-length", b"%d" % length),
    ]


async def put_manifest(registry: Registry, request: Request, visit: Visit) -> Response:
    wanted = parse_digest(visit.reference) if ":" in visit.reference else None
    tags = _tags(request, visit, wanted)
    body = await read_body(request, registry.settings.manifest_limit, registry.settings)
    digest = digest_of(body, wanted.algorithm if wanted else "sha256")
    if wanted is not None and digest != wanted:
        raise DigestInvalid(f"The manifest's digest is {digest}, not {wanted}.")
    manifest = parse_manifest(body, request.headers.get("content-type"))
    push = Push(visit.project_id, visit.repository, str(digest), manifest, body, tags, visit.caller.name)
    await registry.database.write(manifest_index.put, registry.clock.now(), push)
    headers = {
        "location": f"/v2/{quote(visit.repository)}/manifests/{digest}",
        "docker-content-digest": str(digest),
    }
    if manifest.subject:
        headers["oci-subject"] = manifest.subject
    response = Response(status_code=201, headers=headers)
    if wanted is not None:
        for tag in tags:
            response.headers.append("oci-tag", tag)
    return response


async def delete_manifest(registry: Registry, _request: Request, visit: Visit) -> Response:
    now, act = registry.clock.now(), Act(visit.caller.name, "delete", "artifact", "", visit.project_id)
    if ":" in visit.reference:
        digest = str(parse_digest(visit.reference))
        await registry.database.write(
            noted(now, replace(act, resource=f"{visit.repository}@{digest}"), manifest_index.delete_manifest),
            now,
            visit.repository,
            digest,
            registry.collection_delay,
        )
    else:
        act = replace(act, resource_type="tag", resource=f"{visit.repository}:{visit.reference}")
        delete = noted(now, act, manifest_index.delete_tag)
        await registry.database.write(delete, visit.repository, known_tag(visit.reference))
    return Response(status_code=202)


async def _find(registry: Registry, visit: Visit, tag: str | None) -> StoredManifest | None:
    if tag is not None:
        return await registry.database.read(manifest_index.by_tag, visit.repository, tag)
    digest = str(parse_digest(visit.reference))
    return await registry.database.read(manifest_index.by_digest, visit.repository, digest)


def _tags(request: Request, visit: Visit, wanted: Digest | None) -> Sequence[str]:
    """The tag of the path, or those of `?tag=` beside a digest (distribution-spec, end-7b)."""
    if wanted is None:
        return [require_tag(visit.reference)]
    tags = list(dict.fromkeys(request.query_params.getlist("tag")))
    if len(tags) > MOST_TAGS:
        raise UriTooLong(f"At most {MOST_TAGS} tags can be set at once.")
    return [require_tag(tag) for tag in tags]
