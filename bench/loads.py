"""The works that are measured, each a figure of one registry: the higher, the better."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from bench.blobs import pull_blobs, push_blobs
from bench.content import MIB
from bench.images import push_image, push_images
from bench.rates import rate
from bench.registries import ADMIN, Registry, basic
from bench.wire import Line

FEW, MANY = "library/bench-few", "library/bench-many"
LARGE = 1024 * MIB
TOKEN = f"/service/token?service=mooring&scope=repository:{FEW}:pull,push"


@dataclass(frozen=True, slots=True)
class Scale:
    rounds: int
    large_rounds: int  # for 1 GiB blobs
    blobs: int  # of 64 MiB a connection pushes; it pulls four times as many
    images: int  # pushed by the 50 clients together
    seconds: float  # a GET is repeated


FULL = Scale(rounds=5, large_rounds=3, blobs=4, images=400, seconds=3)
QUICK = Scale(rounds=3, large_rounds=1, blobs=1, images=100, seconds=1)


@dataclass(frozen=True, slots=True)
class Work:
    """`kind` is push, pull, or look for small requests.

    `mooring_only` works are those that a peer without authorisation has not.
    """

    name: str
    unit: str
    sample: Callable[[Registry, Scale], float]
    kind: str = "push"
    large: bool = False
    mooring_only: bool = False

    def concerns(self, registry: Registry) -> bool:
        if registry.files:
            return self.kind == "pull"
        if registry.acts_like:
            return self.kind == "push"
        return registry.authorised or not self.mooring_only

    def rounds(self, scale: Scale) -> int:
        return scale.large_rounds if self.large else scale.rounds


def push_64(registry: Registry, scale: Scale) -> float:
    return push_blobs(registry, 64 * MIB, at_once=2, each=scale.blobs, chunked=False)


def push_64_chunked(registry: Registry, scale: Scale) -> float:
    return push_blobs(registry, 64 * MIB, at_once=2, each=scale.blobs, chunked=True)


def push_large(registry: Registry, scale: Scale) -> float:
    return push_blobs(registry, LARGE, at_once=1, each=1, chunked=False)


def pull_64(registry: Registry, scale: Scale) -> float:
    return pull_blobs(registry, 64 * MIB, at_once=2, each=4 * scale.blobs)


def pull_large(registry: Registry, scale: Scale) -> float:
    return pull_blobs(registry, LARGE, at_once=1, each=1)


def manifests(registry: Registry, scale: Scale) -> float:
    return _manifests(registry, FEW, scale)


def manifests_of_many(registry: Registry, scale: Scale) -> float:
    """In the repository that `images` filled: as many tags in each registry."""
    return _manifests(registry, MANY, scale)


def images(registry: Registry, scale: Scale) -> float:
    return push_images(registry, MANY, scale.images)


def robot_tokens(registry: Registry, scale: Scale) -> float:
    return rate(registry, TOKEN, basic(*robot(registry)), scale.seconds)


def person_tokens(registry: Registry, scale: Scale) -> float:
    """Each worker has seen the password within the minute: its hash is slow by design, and not what is measured."""
    rate(registry, TOKEN, basic(*ADMIN), 1)
    return rate(registry, TOKEN, basic(*ADMIN), scale.seconds)


WORKS = (
    Work("blob push 64 MiB, 2 at once", "MB/s", push_64),
    Work("the same, chunked as docker sends it", "MB/s", push_64_chunked),
    Work("blob push 1 GiB", "MB/s", push_large, large=True),
    Work("blob pull 64 MiB, 2 at once", "MB/s", pull_64, "pull"),
    Work("blob pull 1 GiB", "MB/s", pull_large, "pull", large=True),
    Work("manifest GET by tag, 16 at once", "/s", manifests, "look"),
    Work("token for a robot, 16 at once", "/s", robot_tokens, "look", mooring_only=True),
    Work("token for a person seen within the minute, 16 at once", "/s", person_tokens, "look", mooring_only=True),
    Work("small images into one repository, 50 at once", "/s", images),
    Work("manifest GET by tag, 16 at once, in that repository", "/s", manifests_of_many, "look"),
)


def _manifests(registry: Registry, repository: str, scale: Scale) -> float:
    tag = stored_tag(registry, repository)
    fields = registry.fields(repository, "pull") + b"Accept: application/vnd.oci.image.manifest.v1+json\r\n"
    return rate(registry, f"/v2/{repository}/manifests/{tag}", fields, scale.seconds)


@lru_cache(None)
def stored_tag(registry: Registry, repository: str) -> str:
    return push_image(registry, repository).tag


@lru_cache(None)
def robot(registry: Registry) -> tuple[str, str]:
    """Name and secret of a robot of the project `library` that may pull and push."""
    access = [{"resource": "repository", "action": action} for action in ("pull", "push")]
    permissions = [{"kind": "project", "namespace": "library", "access": access}]
    asked = {"name": "bench", "level": "project", "duration": -1, "permissions": permissions}
    with Line(registry.address, basic(*ADMIN)) as line:
        json_type = b"Content-Type: application/json\r\n"
        answer = line.ask("POST", "/api/v2.0/robots", json_type, json.dumps(asked).encode())
    made = json.loads(answer.expect(201, "POST robot").body)
    return made["name"], made["secret"]
