"""What is pushed: blobs that are never the same twice, and small images with their requests ready made."""

import json
import os
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from itertools import count

MIB = 1 << 20
BLOCK = 64 * MIB
CHUNK = 32 * 1024  # what Go's HTTP client, and so docker, puts in one chunk of a streamed body

LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"

_numbers = count()


@dataclass(frozen=True, slots=True)
class Blob:
    """`parts` are bytes and descriptors of files, as `wire.Line.send` takes them."""

    digest: str
    size: int
    fields: bytes
    parts: list[int | bytes]


@dataclass(frozen=True, slots=True)
class Image:
    tag: str
    config: bytes
    layer: bytes
    manifest: bytes


def digest_of(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"


def large_blob(size: int, chunked: bool) -> Blob:
    """A blob of `size` bytes, a multiple of 64 MiB, and an end of its own; hashed before it is timed."""
    repeats, (_, plain, framed) = size // BLOCK, _block()
    end = b"%032d" % next(_numbers) + os.urandom(32)
    hash_ = _hash_of_blocks(repeats).copy()
    hash_.update(end)
    digest = f"sha256:{hash_.hexdigest()}"
    if chunked:
        parts: list[int | bytes] = [framed] * repeats + [_chunk(end) + b"0\r\n\r\n"]
        return Blob(digest, size + len(end), b"Transfer-Encoding: chunked\r\n", parts)
    total = size + len(end)
    return Blob(digest, total, b"Content-Length: %d\r\n" % total, [plain] * repeats + [end])


def small_image(layer_size: int = 4096) -> Image:
    number = next(_numbers)
    unique = f"{number}-{os.urandom(8).hex()}"
    config = json.dumps({"architecture": "amd64", "os": "linux", "author": unique}).encode()
    layer = os.urandom(layer_size)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _descriptor(CONFIG_TYPE, config),
        "layers": [_descriptor(LAYER_TYPE, layer)],
    }
    return Image(f"t{number}", config, layer, json.dumps(manifest).encode())


def _descriptor(media_type: str, data: bytes) -> dict[str, str | int]:
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@lru_cache(1)
def _block() -> tuple[bytes, int, int]:
    """64 MiB of noise, and descriptors of files in memory that hold it plain and cut into chunks."""
    noise = os.urandom(BLOCK)
    framed = b"".join(_chunk(noise[at : at + CHUNK]) for at in range(0, BLOCK, CHUNK))
    return noise, _in_memory("plain", noise), _in_memory("framed", framed)


@lru_cache
def _hash_of_blocks(repeats: int):  # type: ignore[no-untyped-def]  # hashlib's type has no public name
    hash_ = sha256()
    for _ in range(repeats):
        hash_.update(_block()[0])
    return hash_


def _in_memory(name: str, data: bytes) -> int:
    file = os.memfd_create(name)
    with os.fdopen(os.dup(file), "wb") as out:
        out.write(data)
    return file
