"""Small images, each of one configuration, one layer and a manifest, pushed by many clients at once."""

import asyncio
import json
import time

from bench.content import MANIFEST_TYPE, Image, digest_of, small_image
from bench.registries import Registry
from bench.wire import Line, Stream, Unexpected, closing, message

CLIENTS = 50


def push_images(registry: Registry, repository: str, total: int) -> float:
    """Images a second; each client keeps one connection and one token, as docker does in one push."""
    queues = [[small_image() for _ in range(total // CLIENTS)] for _ in range(CLIENTS)]
    tokens = [registry.fields(repository) for _ in range(CLIENTS)]
    elapsed, errors = asyncio.run(_push_all(registry, repository, queues, tokens))
    if errors:
        raise Unexpected(f"{len(errors)} of {CLIENTS} clients failed, the first: {errors[0]}")
    for queue in queues[::10]:
        verify_image(registry, repository, queue[-1])
    return len(queues) * len(queues[0]) / elapsed


def push_image(registry: Registry, repository: str) -> Image:
    image = small_image()
    _, errors = asyncio.run(_push_all(registry, repository, [[image]], [registry.fields(repository)]))
    for error in errors:
        raise error
    verify_image(registry, repository, image)
    return image


def verify_image(registry: Registry, repository: str, image: Image) -> None:
    """Raises Unexpected unless the tag gives the manifest pushed and its blobs come back by their digests."""
    with Line(registry.address, registry.fields(repository, "pull")) as line:
        accept = f"Accept: {MANIFEST_TYPE}\r\n".encode()
        answer = line.ask("GET", f"/v2/{repository}/manifests/{image.tag}", accept).expect(200, "GET manifest")
        if answer.body != image.manifest:
            raise Unexpected(f"manifest {image.tag} came back changed")
        manifest = json.loads(answer.body)
        for wanted in (manifest["config"], *manifest["layers"]):
            blob = line.ask("GET", f"/v2/{repository}/blobs/{wanted['digest']}").expect(200, "GET blob")
            if digest_of(blob.body) != wanted["digest"]:
                raise Unexpected(f"blob {wanted['digest']} came back changed")


async def _push_all(
    registry: Registry, repository: str, queues: list[list[Image]], tokens: list[bytes]
) -> tuple[float, list[Exception]]:
    streams = [await Stream.open(registry.address) for _ in queues]
    host = "{}:{}".format(*registry.address)
    clients = [Pusher(stream, host, repository, token) for stream, token in zip(streams, tokens, strict=True)]
    start = time.perf_counter()
    done = await asyncio.gather(
        *(client.push(queue) for client, queue in zip(clients, queues, strict=True)), return_exceptions=True
    )
    elapsed = time.perf_counter() - start
    for stream in streams:
        stream.close()
    errors = [outcome for outcome in done if isinstance(outcome, BaseException)]
    return elapsed, [error if isinstance(error, Exception) else Unexpected(repr(error)) for error in errors]


class Pusher:
    def __init__(self, stream: Stream, host: str, repository: str, fields: bytes) -> None:
        self.stream, self.host, self.fields = stream, host, fields
        self.path = f"/v2/{repository}"

    async def push(self, queue: list[Image]) -> None:
        for image in queue:
            await self.push_blob(image.layer)
            await self.push_blob(image.config)
            target = f"{self.path}/manifests/{image.tag}"
            await self.ask(201, "PUT", target, f"Content-Type: {MANIFEST_TYPE}\r\n".encode(), image.manifest)

    async def push_blob(self, data: bytes) -> None:
        digest = digest_of(data)
        await self.ask(404, "HEAD", f"{self.path}/blobs/{digest}")
        place = await self.ask(202, "POST", f"{self.path}/blobs/uploads/", body=b"")
        place = await self.ask(202, "PATCH", place, b"Content-Type: application/octet-stream\r\n", data)
        await self.ask(201, "PUT", closing(place, digest), body=b"")

    async def ask(self, status: int, method: str, target: str, fields: bytes = b"", body: bytes | None = None) -> str:
        """Sends one request; returns where to go on when an upload is under way."""
        request = message(method, target, self.host, self.fields + fields, body)
        answer = (await self.stream.ask(request)).expect(status, f"{method} {target}")
        return answer.target if status == 202 else ""
