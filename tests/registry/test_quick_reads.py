"""What is answered without a task of its own is answered as the application would."""

import json

import pytest

from tests.api import Api
from tests.registry.wire import Line, request
from tests.server import Server

TYPE = "application/vnd.oci.image.index.v1+json"
INDEX = json.dumps({"schemaVersion": 2, "mediaType": TYPE, "manifests": []}).encode()


@pytest.mark.parametrize("place", ["/xx/{}", "//a/{}", "/v3/{}", "/V2/{}", "/v2//{}", "/v2/a/../{}", "/api/v2/{}"])
def test_an_image_has_one_place(server: Server, admin: Api, place: str) -> None:
    """A proxy that guards `/v2/` guards all of it."""
    name = f"{admin.create_project(public=True)}/app"
    put = request(server, "PUT", f"/v2/{name}/manifests/latest", INDEX, f"Content-Type: {TYPE}")
    assert put.status == 201
    with Line(server) as line:
        for _ in range(2):
            line.ask("GET", f"/v2/{name}/manifests/latest")
            assert line.read().body == INDEX
        line.ask("GET", place.format(f"{name}/manifests/latest"))
        assert line.read().status in (400, 401, 404)
