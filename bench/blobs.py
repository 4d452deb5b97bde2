"""Large blobs, pushed with docker's sequence of requests and pulled over kept-alive connections."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from bench.content import Blob, large_blob
from bench.registries import Registry
from bench.wire import Line, Unexpected, closing

REPOSITORY = "library/bench-blobs"


def push_blobs(registry: Registry, size: int, at_once: int, each: int, chunked: bool) -> float:
    """MB/s while `at_once` connections push `each` fresh blobs of `size` bytes, one after the other."""
    queues = [[large_blob(size, chunked) for _ in range(each)] for _ in range(at_once)]
    fields = registry.fields(REPOSITORY)

    def push(number: int) -> None:
        with Line(registry.address, fields) as line:
            for blob in queues[number]:
                push_blob(line, blob)

    elapsed = _together(push, at_once)
    verify_blob(registry, queues[-1][-1])
    pushed(registry, size).extend(queue[-1] for queue in queues)
    return sum(blob.size for queue in queues for blob in queue) / elapsed / 1e6


def pull_blobs(registry: Registry, size: int, at_once: int, each: int) -> float:
    """MB/s while `at_once` connections pull a blob of their own `each` times, from the page cache."""
    if len(pushed(registry, size)) < at_once and registry.files:
        pushed(registry, size).extend(lay_blob(registry.files, size) for _ in range(at_once))
    elif len(pushed(registry, size)) < at_once:
        push_blobs(registry, size, at_once, each=1, chunked=False)
    blobs = pushed(registry, size)[:at_once]
    fields = registry.fields(REPOSITORY, "pull")

    def pull(number: int) -> None:
        with Line(registry.address, fields) as line:
            for _ in range(each):
                got, _digest = line.pull(f"/v2/{REPOSITORY}/blobs/{blobs[number].digest}")
                if got != blobs[number].size:
                    raise Unexpected(f"a blob of {blobs[number].size} bytes came back with {got}")

    return sum(blob.size for blob in blobs) * each / _together(pull, at_once) / 1e6


def push_blob(line: Line, blob: Blob) -> None:
    path = f"/v2/{REPOSITORY}/blobs"
    line.ask("HEAD", f"{path}/{blob.digest}").expect(404, "HEAD of a new blob")
    place = line.ask("POST", f"{path}/uploads/", body=b"").expect(202, "POST upload").target
    octets = b"Content-Type: application/octet-stream\r\n"
    place = line.send("PATCH", place, octets + blob.fields, blob.parts).expect(202, "PATCH upload").target
    line.ask("PUT", closing(place, blob.digest), body=b"").expect(201, "PUT upload")


def lay_blob(directory: Path, size: int) -> Blob:
    """Where a server of files finds it under the same address."""
    blob = large_blob(size, chunked=False)
    place = directory / "v2" / REPOSITORY / "blobs" / blob.digest
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("wb") as file:
        for part in blob.parts:
            file.write(part if isinstance(part, bytes) else os.pread(part, os.fstat(part).st_size, 0))
    return blob


def verify_blob(registry: Registry, blob: Blob) -> None:
    """Raises Unexpected unless the blob comes back with its size and digest."""
    with Line(registry.address, registry.fields(REPOSITORY, "pull")) as line:
        got = line.pull(f"/v2/{REPOSITORY}/blobs/{blob.digest}", checked=True)
    if got != (blob.size, blob.digest):
        raise Unexpected(f"blob {blob.digest} of {blob.size} bytes came back as {got}")


@lru_cache(None)
def pushed(registry: Registry, size: int) -> list[Blob]:
    """Blobs of about `size` bytes that the registry is known to hold, to be pulled."""
    return []


def _together(work: Callable[[int], None], at_once: int) -> float:
    """Seconds that `at_once` threads take; a thread's error is raised here."""
    with ThreadPoolExecutor(at_once) as pool:
        start = time.perf_counter()
        list(pool.map(work, range(at_once)))
        return time.perf_counter() - start
