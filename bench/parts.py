"""`python -m bench.parts`: where the microseconds of a pulled manifest go, part by part, in one process alone."""

import asyncio
import gc
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Final, cast

import structlog

from bench.content import MANIFEST_TYPE, digest_of
from bench.report import table
from mooring.app import served
from mooring.http.edge import family
from mooring.registry import blobs, manifest_index
from mooring.server.connection import Connection
from mooring.server.serving import Serving
from tests.http.site import ADMIN_PASSWORD, Site, basic, bearer

REPOSITORY: Final = "library/app"
TIMES: Final = 2_000
ROUNDS: Final = 9


class Nowhere:
    """A transport that takes everything: what the system's calls cost is not counted."""

    def write(self, _data: bytes) -> None:
        return None

    def set_write_buffer_limits(self, high: int) -> None:
        return None

    def get_extra_info(self, _name: str) -> tuple[str, int]:
        return "127.0.0.1", 5000

    def is_closing(self) -> bool:
        return False


def main() -> int:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    with tempfile.TemporaryDirectory() as directory, Site(Path(directory) / "data") as site:
        token = pushed(site)
        rows = site.run(measured(site, token))
    print(table(["part", "µs"], [[name, f"{value:.1f}"] for name, value in rows]))
    return 0


def pushed(site: Site) -> str:
    """An image; answers the header that may pull it."""
    config = b"{}"
    given = [bearer(site.token(f"repository:{REPOSITORY}:pull,push", [basic("admin", ADMIN_PASSWORD)]))]
    site.ask("POST", f"/v2/{REPOSITORY}/blobs/uploads/?digest={digest_of(config)}", given, config)
    named = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(config), "size": 2}
    body = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": named, "layers": [named]}
    answer = site.ask(
        "PUT", f"/v2/{REPOSITORY}/manifests/v1", [*given, ("content-type", MANIFEST_TYPE)], json.dumps(body).encode()
    )
    assert answer.status == 201, answer
    return given[0][1]


async def measured(site: Site, token: str) -> list[tuple[str, float]]:
    parts, authorization = site.parts, token.encode()
    await parts.epoch.poll()
    await parts.readiness.look()
    path = f"/v2/{REPOSITORY}/manifests/v1"
    await site.asking("GET", path, [("authorization", token)])
    serving = Serving(served(parts))
    connection = Connection(serving)
    connection.connection_made(cast("asyncio.BaseTransport", Nowhere()))
    request = b"GET %b HTTP/1.1\r\nHost: registry.test\r\nAccept: %b\r\nAuthorization: %b\r\n\r\n" % (
        path.encode(),
        MANIFEST_TYPE.encode(),
        authorization,
    )

    def ask() -> None:
        connection.get_buffer(0)[: len(request)] = request
        connection.buffer_updated(len(request))

    def look(lookup: Any, *values: str) -> None:
        finished(parts.database.read(lookup, *values))

    config = digest_of(b"{}")
    alone: dict[str, Callable[[], object]] = {
        "all, from the bytes of the request to those of the answer": ask,
        "of that: the row of a tag": lambda: look(manifest_index.named_by_tag, REPOSITORY, "v1"),
        "who asks, and may he": lambda: parts.registry.admissions.find(authorization, REPOSITORY),
        "counting it for /metrics": lambda: parts.metrics.request("GET", family(path), 200, 0.001, 0, 500),
        "counting the pull": lambda: parts.registry.pulls.note(1, 1, "v1", parts.clock.now()),
        "for comparison: the row with the manifest's bytes": lambda: look(manifest_index.by_tag, REPOSITORY, "v1"),
        "for comparison: the row of a blob": lambda: look(blobs.find, REPOSITORY, config),
    }
    return [(name, await timed(site, call)) for name, call in alone.items()]


async def timed(site: Site, call: Callable[[], object]) -> float:
    """The median of some rounds, in microseconds."""
    found = []
    for _ in range(ROUNDS):
        # What was admitted is good for as long as the epoch was read within a second and a half.
        await site.parts.epoch.poll()
        gc.collect()
        began = time.perf_counter()
        for _ in range(TIMES):
            call()
        found.append((time.perf_counter() - began) / TIMES * 1e6)
    return median(found)


def finished(work: Any) -> None:
    """Runs to its end what waits for nothing."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits")


if __name__ == "__main__":
    sys.exit(main())
