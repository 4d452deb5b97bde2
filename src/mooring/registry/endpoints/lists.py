"""Lists in pages by key: tags, referrers and the catalogue, with `Link` to the next page (RFC 8288)."""

import json
from collections.abc import Sequence
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mooring.access.caller import Caller
from mooring.errors import PageInvalid
from mooring.registry import referrers, repositories, tags
from mooring.registry.digests import parse_digest
from mooring.registry.manifests import OCI_INDEX
from mooring.registry.registry import Registry, Visit

DEFAULT_PAGE = 1000
LONGEST_KEY = 1024


async def list_tags(registry: Registry, request: Request, visit: Visit) -> Response:
    limit, last = _asked(request, registry.settings.page_limit)
    names = await registry.database.read(tags.page, visit.repository, last, limit + 1)
    body = {"name": visit.repository, "tags": list(names[:limit])}
    return JSONResponse(body, headers=_next(f"/v2/{quote(visit.repository)}/tags/list", names, limit))


async def list_referrers(registry: Registry, request: Request, visit: Visit) -> Response:
    subject = str(parse_digest(visit.reference))
    artifact_type = request.query_params.get("artifactType", "")
    last = request.query_params.get("last", "")[:LONGEST_KEY]
    found = await registry.database.read(referrers.page, visit.repository, subject, artifact_type, last)
    left = [] if last else await registry.database.read(referrers.fallback, visit.repository, subject, artifact_type)
    headers = {"oci-filters-applied": "artifactType"} if artifact_type else {}
    if len(found) == referrers.PAGE:
        query = {"last": found[-1]["digest"]} | ({"artifactType": artifact_type} if artifact_type else {})
        headers["link"] = _link(f"/v2/{quote(visit.repository)}/referrers/{subject}", query)
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [*found, *left]}
    return Response(json.dumps(index), media_type=OCI_INDEX, headers=headers)


async def list_repositories(registry: Registry, request: Request, caller: Caller) -> Response:
    """The catalogue: only what the caller may pull from."""
    limit, last = _asked(request, registry.settings.page_limit)
    visible = await registry.database.read(registry.visible_projects, caller.subject, registry.clock.now())
    names = await registry.database.read(repositories.page, visible, last, limit + 1)
    body = {"repositories": list(names[:limit])}
    return JSONResponse(body, headers=_next("/v2/_catalog", names, limit))


def _asked(request: Request, most: int) -> tuple[int, str]:
    """Page size and the key to start after. Raises PageInvalid."""
    text = request.query_params.get("n")
    if text is None:
        limit = DEFAULT_PAGE
    elif text.isascii() and text.isdigit() and len(text) < 20:
        limit = int(text)
    else:
        raise PageInvalid
    return min(limit, most), request.query_params.get("last", "")[:LONGEST_KEY]


def _next(path: str, names: Sequence[str], limit: int) -> dict[str, str]:
    if limit == 0 or len(names) <= limit:
        return {}
    return {"link": _link(path, {"n": str(limit), "last": names[limit - 1]})}


def _link(path: str, query: dict[str, str]) -> str:
    return f'<{path}?{urlencode(query)}>; rel="next"'
