"""A client that follows the protocol as docker does: token, HEAD, POST, PATCH, PUT per blob, then the manifest.

Every request opens a connection of its own, so that a load balancer may send each to another replica. It retries
what docker retries: a broken connection and 5xx, never a 401.
"""

import asyncio
import hashlib
import json
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp

TRIES = 8
PAUSE_SECONDS = 0.5
PATIENCE = aiohttp.ClientTimeout(total=60, sock_connect=10)
SLOW_PATIENCE = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
SLOW_PIECE = 2048
BASES = 8
"""So many layers are in images of all repositories: mostly there already, at times pushed by several at once."""


class Refused(Exception):
    """401, 403 or 404 for something that was right."""


class GaveUp(Exception):
    """Not done after all tries."""


@dataclass(frozen=True)
class Pushed:
    """What a push was acknowledged for: all must be there, byte for byte, ever after."""

    repository: str
    tag: str
    manifest: bytes
    blobs: dict[str, bytes] = field(repr=False)

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)


@dataclass
class Client:
    url: str
    username: str
    password: str
    session: aiohttp.ClientSession
    token: str = ""
    scope: str = ""
    renew_at: float = 0.0
    pieces: int = 1
    """A blob is sent in so many PATCH requests."""
    bytes_a_second: float = 0.0
    """The speed of a slow line; 0 for none. Each request with bytes then takes as long as they need."""

    async def push(self, repository: str, tag: str, seed: str, *, size: int = 20_000) -> Pushed:
        pushed = make_image(repository, tag, seed, size)
        for digest, content in pushed.blobs.items():
            await self._push_blob(repository, digest, content)
        headers = {"content-type": "application/vnd.oci.image.manifest.v1+json"}
        path = f"/v2/{repository}/manifests/{tag}"
        await self._ask("PUT", path, repository, {201}, headers=headers, data=pushed.manifest)
        return pushed

    async def pull(self, pushed: Pushed) -> tuple[bytes, dict[str, bytes]]:
        """The bytes as the registry has them now."""
        repository = pushed.repository
        manifest = await self.manifest(repository, pushed.digest)
        return manifest, {digest: await self.blob(repository, digest) for digest in pushed.blobs}

    async def manifest(self, repository: str, reference: str) -> bytes:
        return (await self._ask("GET", f"/v2/{repository}/manifests/{reference}", repository, {200}))[2]

    async def blob(self, repository: str, digest: str) -> bytes:
        return (await self._ask("GET", f"/v2/{repository}/blobs/{digest}", repository, {200}))[2]

    async def _push_blob(self, repository: str, digest: str, content: bytes) -> None:
        """A layer is begun anew when its upload breaks, as docker does, up to TRIES times."""
        for attempt in range(TRIES):
            status, _, _ = await self._ask("HEAD", f"/v2/{repository}/blobs/{digest}", repository, {200, 404})
            if status == 200:
                return
            try:
                await self._upload(repository, digest, content)
                return
            except (aiohttp.ClientError, TimeoutError, BrokenUpload):
                await _wait(attempt)
        raise GaveUp(f"blob {digest} of {repository}")

    async def _upload(self, repository: str, digest: str, content: bytes) -> None:
        path = f"/v2/{repository}/blobs/uploads/"
        _, headers, _ = await self._ask("POST", path, repository, {202})
        step = max(1, -(-len(content) // self.pieces))
        for start in range(0, len(content), step):
            piece = content[start : start + step]
            sent = {"content-range": f"{start}-{start + len(piece) - 1}"} if self.pieces > 1 else {}
            location = headers["location"]
            body = self._slowly(piece) if self.bytes_a_second else piece
            _, headers, _ = await self._once("PATCH", location, repository, {202}, headers=sent, data=body)
        separator = "&" if "?" in headers["location"] else "?"
        await self._once("PUT", f"{headers['location']}{separator}digest={digest}", repository, {201})

    async def _slowly(self, content: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(content), SLOW_PIECE):
            yield content[start : start + SLOW_PIECE]
            await asyncio.sleep(SLOW_PIECE / self.bytes_a_second)

    async def _ask(
        self, method: str, path: str, repository: str, good: set[int], **more: object
    ) -> tuple[int, dict[str, str], bytes]:
        for attempt in range(TRIES):
            try:
                return await self._once(method, path, repository, good, **more)
            except (aiohttp.ClientError, TimeoutError, BrokenUpload):
                await _wait(attempt)
        raise GaveUp(f"{method} {path}")

    async def _once(
        self, method: str, path: str, repository: str, good: set[int], **more: object
    ) -> tuple[int, dict[str, str], bytes]:
        token = await self._token_for(repository)
        extra = more.pop("headers", {})
        headers = {"authorization": f"Bearer {token}", "connection": "close", **extra}  # type: ignore[dict-item]
        address = path if path.startswith("http") else self.url + path
        async with self.session.request(method, address, headers=headers, timeout=self._patience, **more) as answer:  # type: ignore[arg-type]
            body = await answer.read()
            if answer.status in good:
                return answer.status, {name.lower(): value for name, value in answer.headers.items()}, body
            return _judge(method, path, answer.status, body)

    @property
    def _patience(self) -> aiohttp.ClientTimeout:
        return SLOW_PATIENCE if self.bytes_a_second else PATIENCE

    async def _token_for(self, repository: str) -> str:
        scope = f"repository:{repository}:pull,push"
        if self.scope == scope and time.monotonic() < self.renew_at:
            return self.token
        for attempt in range(TRIES):
            try:
                await self._renew(scope)
                return self.token
            except (aiohttp.ClientError, TimeoutError, BrokenUpload):
                await _wait(attempt)
        raise GaveUp("token")

    async def _renew(self, scope: str) -> None:
        address = f"{self.url}/service/token"
        headers = {"authorization": aiohttp.encode_basic_auth(self.username, self.password)}
        query = {"service": "mooring", "scope": scope}
        async with self.session.get(address, params=query, headers=headers, timeout=PATIENCE) as answer:
            body = await answer.read()
            if answer.status != 200:
                _judge("GET", "/service/token", answer.status, body)
            found = json.loads(body)
        self.token, self.scope = found["token"], scope
        self.renew_at = time.monotonic() + max(60, found["expires_in"]) * 0.9


class BrokenUpload(Exception):
    """An answer after which docker begins again."""


def _judge(method: str, path: str, status: int, body: bytes) -> tuple[int, dict[str, str], bytes]:
    text = f"{method} {path} {status} {body[:300].decode(errors='replace')}"
    if status == 429 or status >= 500 or status == 416:
        raise BrokenUpload(text)
    raise Refused(text)


async def _wait(attempt: int) -> None:
    await asyncio.sleep(PAUSE_SECONDS * 2 ** min(attempt, 4) * (0.5 + random.random()))


def make_image(repository: str, tag: str, seed: str, size: int) -> Pushed:
    source = random.Random(seed)
    base = random.Random(f"base {source.randrange(BASES)}").randbytes(size // 2)
    layers = [base, source.randbytes(size)]
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
            "seed": seed,
        }
    ).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar", layer) for layer in layers],
    }
    blobs = {digest_of(content): content for content in (*layers, config)}
    return Pushed(repository, tag, json.dumps(manifest).encode(), blobs)


def digests_in(manifest: bytes) -> list[str]:
    """Of all blobs that an image's manifest names."""
    found = json.loads(manifest)
    return [part["digest"] for part in (found["config"], *found["layers"])]


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _descriptor(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}
