"""Every route of `/v2` as data: its path, and for each method what it needs and who answers."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from mooring.registry.endpoints import blobs, lists, manifests, uploads
from mooring.registry.registry import Registry, Visit

Endpoint = Callable[[Registry, Request, Visit], Awaitable[Response]]


@dataclass(frozen=True)
class Method:
    action: str
    """What a caller must be allowed in the repository: an action of a token's scope."""
    endpoint: Endpoint


@dataclass(frozen=True)
class Route:
    template: str
    methods: Mapping[str, Method]

    @property
    def pattern(self) -> re.Pattern[str]:
        # A name may hold any of these words as a component: the longest name wins.
        return re.compile(
            self.template.replace("{name}", "(?P<name>.+)").replace("{reference}", "(?P<reference>[^/]+)")
        )


ROUTES = (
    Route(
        "/v2/{name}/manifests/{reference}",
        {
            "GET": Method("pull", manifests.get_manifest),
            "HEAD": Method("pull", manifests.get_manifest),
            "PUT": Method("push", manifests.put_manifest),
            "DELETE": Method("delete", manifests.delete_manifest),
        },
    ),
    Route("/v2/{name}/blobs/uploads/?", {"POST": Method("push", uploads.begin_upload)}),
    Route(
        "/v2/{name}/blobs/uploads/{reference}",
        {
            "GET": Method("push", uploads.get_upload),
            "PATCH": Method("push", uploads.append_to_upload),
            "PUT": Method("push", uploads.finish_upload),
            # Not `delete`: whoever may push may take a push back (skopeo cleans up with it).
            "DELETE": Method("push", uploads.cancel_upload),
        },
    ),
    Route(
        "/v2/{name}/blobs/{reference}",
        {
            "GET": Method("pull", blobs.get_blob),
            "HEAD": Method("pull", blobs.get_blob),
            "DELETE": Method("delete", blobs.delete_blob),
        },
    ),
    Route("/v2/{name}/tags/list", {"GET": Method("pull", lists.list_tags)}),
    Route("/v2/{name}/referrers/{reference}", {"GET": Method("pull", lists.list_referrers)}),
)
