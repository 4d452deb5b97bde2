"""`make faults`: pushes and pulls through a load balancer over three replicas while everything goes wrong.

Exit 1 when anything was refused, lost or corrupt, when a wrong replica was not named by its `/readyz`, or when the
control, a cluster that is broken on purpose, shows no refusals.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tests import s3
from tests.faults import course, gateway, page, programs, watchman
from tests.faults.load import READERS, WRITERS, Load
from tests.faults.scene import Scene
from tests.faults.tally import Tally, by_fault
from tests.faults.tokens import TOKEN_SECONDS
from tests.replicas import cluster as clusters
from tests.s3 import S3

REPLICAS = 3
ENVIRONMENT: Mapping[str, str] = {"MOORING_TOKEN_LIFE_SECONDS": str(TOKEN_SECONDS), "MOORING_LOG_FORMAT": "json"}
FULL_SECONDS, QUICK_SECONDS, CONTROL_SECONDS = 420.0, 90.0, 15.0
UPLOAD_SECONDS, QUICK_UPLOAD_SECONDS = 150.0, 70.0


def main() -> int:
    given = arguments()
    began, tally, control = datetime.now(UTC), Tally(), Tally()
    acts = [
        act
        for act in (course.QUICK if given.quick else course.FULL)
        if any(word in fault.title for fault in act for word in given.only or [""])
        and (given.store == "s3" or not any(map(course.needs_s3, act)))
    ]
    seconds = given.seconds or (QUICK_SECONDS if given.quick else FULL_SECONDS)
    with scene(given, tally) as ready:
        asyncio.run(course.run(ready, acts, seconds, mixed=not (given.quick or given.only)))
        # At once: what ends all these processes may fail, and what was seen shall not be lost with it.
        print(by_fault(tally), flush=True)
    if not given.no_control:
        asyncio.run(broken(control, min(seconds, CONTROL_SECONDS)))
    told = page.page(
        tally,
        control,
        store="S3" if given.store == "s3" else "a directory that all share",
        clients=WRITERS + READERS,
        command=command(given),
        began=began,
    )
    print(told)
    if given.write:
        given.write.write_text(told)
    found = page.verdict(tally, None if given.no_control else control)
    print("\n".join(found) or "Nothing refused, nothing lost, nothing corrupt.", file=sys.stderr)
    return 1 if found else 0


def command(given: argparse.Namespace) -> str:
    """As a person would run it."""
    chosen = {"--seconds": given.seconds, "--store directory": given.store != "s3", "--no-programs": given.no_programs}
    words = [name if value is True else f"{name} {value:g}" for name, value in chosen.items() if value]
    words += [f"--only {only!r}" for only in given.only or []]
    # The full run writes its page by itself.
    words += [f"--write {given.write}"] if given.write and (given.quick or words) else []
    made = "make faults-quick" if given.quick else "make faults"
    return f'{made} ARGS="{" ".join(words)}"' if words else made


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--seconds", type=float, help="how long all faults last together")
    parser.add_argument("--quick", action="store_true", help="all faults within minutes, some of them at once")
    parser.add_argument("--only", action="append", metavar="WORDS", help="only faults with this in their name")
    parser.add_argument("--store", choices=["s3", "directory"], default="s3", help="where the bytes are")
    parser.add_argument("--no-programs", action="store_true", help="our own client alone")
    parser.add_argument("--no-control", action="store_true", help="without the cluster that is broken on purpose")
    parser.add_argument("--keep-logs", type=Path, metavar="DIR", help="keep the logs of all processes there")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="write what came out to this page")
    return parser.parse_args()


@contextlib.contextmanager
def scene(given: argparse.Namespace, tally: Tally) -> Iterator[Scene]:
    with contextlib.ExitStack() as stack:
        directory = _directory(stack, given.keep_logs)
        store: S3 | None = None
        way: gateway.Gateway | None = None
        if given.store == "s3":
            store = stack.enter_context(s3.either())
            way = stack.enter_context(gateway.running(store.endpoint))
            store = replace(store, endpoint=way.url)
        cluster = stack.enter_context(clusters.running(directory, REPLICAS, ENVIRONMENT, store=store))
        real = (
            []
            if given.no_programs
            else stack.enter_context(programs.running(cluster.address, cluster.username, cluster.password))
        )
        load = Load(cluster.url, cluster.username, cluster.password, tally, real)
        seconds = QUICK_UPLOAD_SECONDS if given.quick else UPLOAD_SECONDS
        yield Scene(cluster, load, store, way, seconds)


async def broken(tally: Tally, seconds: float) -> None:
    """The control: each replica with a signing key of its own."""
    tally.begin("each replica its own key")
    with contextlib.ExitStack() as stack:
        cluster = await asyncio.to_thread(
            stack.enter_context,
            clusters.running(_directory(stack, None), REPLICAS, ENVIRONMENT, "tests.faults.broken"),
        )
        async with Load(cluster.url, cluster.username, cluster.password, tally).going():
            await asyncio.sleep(seconds)


def _directory(stack: contextlib.ExitStack, kept: Path | None) -> Path:
    if kept is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mooring-faults-")))
    kept.mkdir(parents=True)
    return kept.resolve()


if __name__ == "__main__":
    with watchman.watching():
        sys.exit(main())
