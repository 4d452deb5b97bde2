"""What is asked of a registry that holds much: rates of small requests, and how long one page takes."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Final

from bench.content import MANIFEST_TYPE
from bench.images import push_images
from bench.population import LARGE, Size, name_of, tag_of
from bench.rates import rate, rate_of_many
from bench.registries import ADMIN, Registry, basic
from bench.report import number
from bench.wire import Line
from tests.workers import resident_bytes

SECONDS: Final = 3.0
SPREAD: Final = 2000
IMAGES: Final = 400
PAGES: Final = 21
MIB: Final = 1 << 20
ACCEPT: Final = f"Accept: {MANIFEST_TYPE}\r\n".encode()

Ask = Callable[[Registry, Size], float]


@dataclass(frozen=True)
class Question:
    name: str
    unit: str
    ask: Ask

    def told(self, figure: float) -> str:
        return number(figure, self.unit)


def one_of_few(registry: Registry, size: Size) -> float:
    """In a repository of some ninety tags."""
    last = size.manifests - 1
    return _manifest(registry, name_of(size.repository(last)), tag_of(last))


def one_of_many(registry: Registry, size: Size) -> float:
    return _manifest(registry, LARGE, tag_of(size.large // 2))


def many(registry: Registry, size: Size) -> float:
    """Tags by chance, of as many repositories, each asked for again and again."""
    chosen = random.Random(1).sample(range(size.manifests), min(SPREAD, size.manifests))
    targets = [f"/v2/{name_of(size.repository(each))}/manifests/{tag_of(each)}" for each in chosen]
    return rate_of_many(registry, targets, basic(*ADMIN) + ACCEPT, SECONDS)


def tags(registry: Registry, size: Size) -> float:
    target = f"/v2/{LARGE}/tags/list?n=100&last={tag_of(size.large // 2)}"
    return _milliseconds(registry, target, registry.fields(LARGE, "pull"))


def catalogue(registry: Registry, size: Size) -> float:
    return _milliseconds(registry, f"/v2/_catalog?n=100&last={name_of(size.repositories // 2)}", basic(*ADMIN))


def artifacts(place: float, registry: Registry, size: Size) -> float:
    """`place` is 0 for the first page and 1 for the last."""
    page = 1 + int(place * (size.large // 100 - 1))
    target = f"/api/v2.0/projects/library/repositories/large/artifacts?page_size=100&page={page}"
    return _milliseconds(registry, target, basic(*ADMIN))


def repositories(registry: Registry, _size: Size) -> float:
    return _milliseconds(registry, "/api/v2.0/projects/library/repositories?page_size=100&page=1", basic(*ADMIN))


def pushes(registry: Registry, _size: Size) -> float:
    return push_images(registry, LARGE, IMAGES)


def memory(registry: Registry, _size: Size) -> float:
    """Of the largest worker, without what it shares with others. Asked last, after all that is above."""
    return max(map(resident_bytes, registry.processes())) / MIB


QUESTIONS: Final = (
    Question("manifest GET by tag, 16 at once", "/s", one_of_few),
    Question("the same, in a repository with a tenth of all tags", "/s", one_of_many),
    Question(f"{SPREAD:,} tags of all repositories in turn, by password", "/s", many),
    Question("page of 100 tags, from the middle of that repository", "ms", tags),
    Question("page of 100 repositories, from the middle of the catalogue", "ms", catalogue),
    Question("page of 100 artifacts of that repository by the API, the first", "ms", partial(artifacts, 0)),
    Question("the same, the last", "ms", partial(artifacts, 1)),
    Question("page of 100 repositories by the API", "ms", repositories),
    Question("small images into that repository, 50 at once", "/s", pushes),
    Question("memory of the largest worker at the end", "MiB", memory),
)


def _manifest(registry: Registry, repository: str, tag: str) -> float:
    fields = registry.fields(repository, "pull") + ACCEPT
    return rate(registry, f"/v2/{repository}/manifests/{tag}", fields, SECONDS)


def _milliseconds(registry: Registry, target: str, fields: bytes) -> float:
    taken = []
    with Line(registry.address, fields) as line:
        for _ in range(PAGES):
            began = time.perf_counter()
            line.ask("GET", target).expect(200, f"GET {target}")
            taken.append(time.perf_counter() - began)
    return median(taken) * 1000
