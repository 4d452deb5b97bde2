"""`python -m bench.memory`: what a worker holds in memory while many large uploads are under way at once."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.content import MIB
from bench.places import KINDS, place
from bench.registries import Missing, Registry, mooring
from bench.report import table
from bench.streams import streaming
from tests.workers import resident_bytes

SIZE: Final = 1024 * MIB
GOAL: Final = 150.0  # MB
LOOK_SECONDS: Final = 0.1
REST_SECONDS: Final = 2.0
"""How long it is watched after the last byte was sent, with every connection still open."""


@dataclass(frozen=True)
class Held:
    """Megabytes of the worker that held most."""

    place: str
    body: str
    workers: int
    before: float
    peak: float
    resting: float
    grown: float
    """All workers together, at the highest."""
    seconds: float


def main() -> int:
    asked = arguments()
    found = []
    for kind in asked.places:
        for workers in asked.workers:
            for chunked in (False, True):
                try:
                    found.append(measure(kind, workers, chunked, asked))
                except Missing as how:
                    print(f"{kind}: not measured, {how}")
    if not found:
        return 1
    print("", said(asked), "", told(found, asked.uploads), sep="\n")
    over = [each for each in found if each.peak > GOAL]
    print("", f"{len(found) - len(over)} of {len(found)} within {GOAL:.0f} MB a worker.", sep="\n")
    return 1 if over else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("--uploads", type=int, default=100, help="connections (%(default)s)")
    parser.add_argument("--each", type=int, default=64, metavar="MIB", help="sent of each 1 GiB (%(default)s)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="of the server (1 and 2)")
    parser.add_argument("--places", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--directory", default="/var/tmp", help="where data goes for the run (%(default)s)")
    return parser.parse_args()


def measure(kind: str, workers: int, chunked: bool, asked: argparse.Namespace) -> Held:
    # Servers of the tests' own put theirs where Python's temporary files go.
    tempfile.tempdir = asked.directory
    with tempfile.TemporaryDirectory(prefix="mooring-memory-") as directory, ExitStack() as running:
        where = running.enter_context(place(kind, Path(directory)))
        registry = mooring(Path(directory), running, {**where.settings, "WORKERS": str(workers)})
        registry.fields()
        before = memories(registry)
        with streaming(registry, asked.uploads, SIZE, asked.each * MIB, chunked) as sent:
            began = time.monotonic()
            seen = watched(registry, lambda: not all(each.done() for each in sent))
            seconds = time.monotonic() - began
            require(sent)
            until = time.monotonic() + REST_SECONDS
            seen += watched(registry, lambda: time.monotonic() < until)
    peak, grown = max(map(max, seen)), max(map(sum, seen)) - sum(before)
    print(f"  {where.told}, {body(chunked)}, workers: {workers}, peak {peak:.0f} MB", flush=True)
    return Held(where.told, body(chunked), workers, max(before), peak, max(seen[-1]), grown, seconds)


def body(chunked: bool) -> str:
    return "chunked" if chunked else "Content-Length"


def watched(registry: Registry, under_way: Callable[[], bool]) -> list[list[float]]:
    seen = []
    while under_way():
        seen.append(memories(registry))
        time.sleep(LOOK_SECONDS)
    return seen


def require(sent: Sequence[Future[None]]) -> None:
    """Raises what a connection met that was cut off: then less was under way than the table says."""
    for each in sent:
        each.result()


def memories(registry: Registry) -> list[float]:
    """Of each worker. The supervisor has loaded as much, but no upload passes it."""
    return [resident_bytes(pid) / 1e6 for pid in registry.processes() if is_worker(pid)]


def is_worker(pid: int) -> bool:
    return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()


def said(asked: argparse.Namespace) -> str:
    return (
        f"{asked.uploads} uploads of 1 GiB at once; of each {asked.each} MiB were sent, then all connections were kept"
        f" open for {REST_SECONDS:g} s and dropped. Memory is the private one of the largest"
        " worker; `an upload` is what all workers grew by, divided."
    )


def told(found: Sequence[Held], uploads: int) -> str:
    heads = ["kept in", "body", "workers", "before", "peak", "at the end", "an upload", "sent in"]
    return table(heads, [row(each, uploads) for each in found])


def row(held: Held, uploads: int) -> list[str]:
    sizes = [f"{value:.0f} MB" for value in (held.before, held.peak, held.resting)]
    return [held.place, held.body, str(held.workers), *sizes, f"{held.grown / uploads:.1f} MB", f"{held.seconds:.0f} s"]


if __name__ == "__main__":
    sys.exit(main())
