"""Images made from nothing: the same seed gives the same bytes.

An image is written as an OCI image layout that is also what `docker load` reads once packed in a tar.
"""

import gzip
import hashlib
import json
import random
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Literal

Style = Literal["oci", "docker"]

PIECE: Final = 1 << 20
EPOCH: Final = "1970-01-01T00:00:00Z"
INDEX: Final = {
    "oci": "application/vnd.oci.image.index.v1+json",
    "docker": "application/vnd.docker.distribution.manifest.list.v2+json",
}
MANIFEST: Final = {
    "oci": "application/vnd.oci.image.manifest.v1+json",
    "docker": "application/vnd.docker.distribution.manifest.v2+json",
}
CONFIG: Final = {
    "oci": "application/vnd.oci.image.config.v1+json",
    "docker": "application/vnd.docker.container.image.v1+json",
}
LAYER: Final = {
    "oci": "application/vnd.oci.image.layer.v1.tar+gzip",
    "docker": "application/vnd.docker.image.rootfs.diff.tar.gzip",
}


@dataclass(frozen=True)
class Blob:
    """Bytes in a layout. `content` is the digest of what they hold once uncompressed."""

    media_type: str
    digest: str
    size: int
    content: str

    @property
    def descriptor(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True)
class Image:
    """An image in the OCI layout at `layout`. `contents` are its layers' digests, uncompressed."""

    layout: Path
    manifest: Blob
    config: Blob
    layers: tuple[Blob, ...]
    architecture: str

    @property
    def contents(self) -> tuple[str, ...]:
        return tuple(layer.content for layer in self.layers)

    @property
    def descriptor(self) -> dict[str, Any]:
        return self.manifest.descriptor | {"platform": {"architecture": self.architecture, "os": "linux"}}


@dataclass(frozen=True)
class Index:
    """An image for several architectures."""

    layout: Path
    manifest: Blob
    images: tuple[Image, ...]


def build_image(
    layout: Path,
    seed: str,
    *,
    layers: int = 3,
    size: int = 4096,
    architecture: str = "amd64",
    style: Style = "oci",
    name: str = "latest",
) -> Image:
    """Build an image of `layers` layers, each with a file of `size` incompressible bytes."""
    image = _image(layout, seed, layers, size, architecture, style)
    _finish(layout, image.manifest, name)
    paths = [_path(layer.digest) for layer in image.layers]
    entry = {"Config": _path(image.config.digest), "RepoTags": None, "Layers": paths}
    (layout / "manifest.json").write_text(json.dumps([entry]))
    return image


def build_index(
    layout: Path,
    seed: str,
    architectures: Sequence[str] = ("amd64", "arm64", "riscv64"),
    *,
    style: Style = "oci",
    name: str = "latest",
) -> Index:
    """Build an image of two small layers for each architecture, each with a layout beside the index's."""
    images = tuple(
        build_image(
            layout.with_name(f"{layout.name}-{each}"),
            f"{seed}-{each}",
            layers=2,
            size=1024,
            architecture=each,
            style=style,
        )
        for each in architectures
    )
    for image in images:
        shutil.copytree(image.layout / "blobs", layout / "blobs", dirs_exist_ok=True)
    body = {
        "schemaVersion": 2,
        "mediaType": INDEX[style],
        "manifests": [image.descriptor for image in images],
    }
    manifest = _json(layout, INDEX[style], body)
    _finish(layout, manifest, name)
    return Index(layout, manifest, images)


def pack(image: Image, archive: Path) -> Path:
    """Write the image as an archive: `docker load` reads it, and it is an `oci-archive:` too."""
    with tarfile.open(archive, "w") as packed:
        packed.add(image.layout, arcname="")
    return archive


def noise(seed: str, size: int) -> bytes:
    """Incompressible bytes, always the same for a seed."""
    return random.Random(seed).randbytes(size)


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def layout_manifest(layout: Path) -> bytes:
    """The bytes of the one manifest or index that a layout names, whose digest must be right."""
    named = json.loads((layout / "index.json").read_bytes())["manifests"]
    assert len(named) == 1, f"expected one manifest in {layout}, found {named}"
    return layout_blob(layout, named[0]["digest"])


def layout_blob(layout: Path, digest: str) -> bytes:
    body = (layout / _path(digest)).read_bytes()
    assert digest_of(body) == digest, f"the bytes of {digest} in {layout} are others"
    return body


def layout_contents(layout: Path, manifest: bytes) -> tuple[str, ...]:
    """Digests of an image's layers as they are once uncompressed, worked out from the bytes in a layout."""
    return tuple(_content(layout, layer["digest"]) for layer in json.loads(manifest)["layers"])


def index_digests(index: bytes) -> dict[str, str]:
    """The digest of each architecture's image."""
    return {each["platform"]["architecture"]: each["digest"] for each in json.loads(index)["manifests"]}


def archive_contents(archive: Path) -> tuple[str, ...]:
    """Digests of the uncompressed layers in what `docker save` wrote."""
    with tarfile.open(archive) as packed:
        (entry,) = json.loads(_member(packed, "manifest.json").read())
        return tuple(_digest_uncompressed(_member(packed, layer)) for layer in entry["Layers"])


def _content(layout: Path, digest: str) -> str:
    path = layout / _path(digest)
    assert digest_of_file(path) == digest, f"the bytes of {digest} in {layout} are others"
    with path.open("rb") as file:
        return _digest_uncompressed(file)


def _member(packed: tarfile.TarFile, name: str) -> IO[bytes]:
    file = packed.extractfile(name)
    assert file is not None, f"{name} is not a file"
    return file


def _digest_uncompressed(file: IO[bytes]) -> str:
    gzipped = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    opened = gzip.GzipFile(fileobj=file) if gzipped else file
    hashed = hashlib.sha256()
    while chunk := opened.read(PIECE):
        hashed.update(chunk)
    return f"sha256:{hashed.hexdigest()}"


def _image(layout: Path, seed: str, layers: int, size: int, architecture: str, style: Style) -> Image:
    made = tuple(_layer(layout, f"{seed}-{number}", size, LAYER[style]) for number in range(layers))
    body = {
        "created": EPOCH,
        "architecture": architecture,
        "os": "linux",
        "config": {"Labels": {"seed": seed}},
        "rootfs": {"type": "layers", "diff_ids": [layer.content for layer in made]},
        "history": [{"created": EPOCH, "created_by": f"layer {number}"} for number in range(layers)],
    }
    config = _json(layout, CONFIG[style], body)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST[style],
        "config": config.descriptor,
        "layers": [layer.descriptor for layer in made],
    }
    return Image(layout, _json(layout, MANIFEST[style], manifest), config, made, architecture)


def _layer(layout: Path, seed: str, size: int, media_type: str) -> Blob:
    """A layer of one file. Stored, not deflated: noise does not shrink, and a gibibyte is quickly made."""
    blobs, draft = layout / "blobs" / "sha256", layout / "draft"
    blobs.mkdir(parents=True, exist_ok=True)
    plain, packed = hashlib.sha256(), hashlib.sha256()
    gzipped = zlib.compressobj(0, wbits=31)
    with draft.open("wb") as file:

        def write(chunk: bytes) -> None:
            packed.update(chunk)
            file.write(chunk)

        for chunk in _tar(f"cargo/{seed}", seed, size):
            plain.update(chunk)
            write(gzipped.compress(chunk))
        write(gzipped.flush())
        length = file.tell()
    path = draft.rename(blobs / packed.hexdigest())
    return Blob(media_type, f"sha256:{path.name}", length, f"sha256:{plain.hexdigest()}")


def _tar(name: str, seed: str, size: int) -> Iterator[bytes]:
    """A tar archive of one file of noise, in pieces."""
    entry = tarfile.TarInfo(name)
    entry.size = size
    yield entry.tobuf()
    source = random.Random(seed)
    for start in range(0, size, PIECE):
        yield source.randbytes(min(PIECE, size - start))
    yield bytes(-size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)


def _json(layout: Path, media_type: str, body: object) -> Blob:
    content = json.dumps(body, indent=3).encode()  # unusual spacing: whoever rewrites it changes its digest
    digest = digest_of(content)
    (layout / _path(digest)).write_bytes(content)
    return Blob(media_type, digest, len(content), digest)


def _finish(layout: Path, manifest: Blob, name: str) -> None:
    annotations = {
        "org.opencontainers.image.ref.name": name,
        "kind": "dev.cosignproject.cosign/image",  # cosign loads what carries this
    }
    index = {"schemaVersion": 2, "manifests": [manifest.descriptor | {"annotations": annotations}]}
    (layout / "index.json").write_text(json.dumps(index))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"
