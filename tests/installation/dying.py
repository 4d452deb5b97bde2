"""A program that kills first starts at chosen steps, starts them again, and tells what was wrong afterwards.

A process of its own with one thread, so that it may fork: a hundred imports would cost more than all its work.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import event, func, select
from sqlalchemy.engine import Engine

from mooring.access.tables import signing_keys
from mooring.assembly import assemble
from mooring.identity.tables import users
from mooring.installation import install
from mooring.projects.tables import projects
from mooring.settings import load

FILES = ("os.link", "os.remove", "os.rename", "os.truncate")


def count_steps(at: Callable[[], None]) -> None:
    """Call `at` before each statement and commit, and before each change of a file."""

    def audit(name: str, arguments: tuple[Any, ...]) -> None:
        if name in FILES or (name == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_ACCMODE):
            at()

    sys.addaudithook(audit)
    event.listen(Engine, "before_cursor_execute", lambda *_: at())
    event.listen(Engine, "commit", lambda _connection: at())


def in_child(work: Callable[[], None]) -> int:
    """The signal that ended it; 0 for none."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            sys.stdout.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def steps_of(directory: Path) -> int:
    """How many steps a first start has."""
    count = directory / "steps"

    def work() -> None:
        steps = 0

        def at() -> None:
            nonlocal steps
            steps += 1

        count_steps(at)
        install(load(data=directory / "counted"))
        count.write_text(str(steps))

    assert in_child(work) == 0
    return int(count.read_text())


def die_at(data: Path, step: int) -> int:
    def work() -> None:
        left = step

        def at() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        count_steps(at)
        install(load(data=data))

    return in_child(work)


def faults_of(data: Path) -> list[str]:
    """What is wrong after one more start."""
    report = data.with_name(f"{data.name}.faults")

    def work() -> None:
        faults = []
        install(load(data=data))
        parts = assemble(load(data=data))
        for table, expected in ((users, 1), (projects, 1), (signing_keys, 1)):
            found = parts.database.read_now(_count, table)
            if found != expected:
                faults.append(f"{found} rows in {table.name}")
        if not parts.database.read_now(_active):
            faults.append("no key that signs")
        if len(list((data / "objects").glob("??"))) != 256:
            faults.append("not every folder")
        report.write_text(json.dumps(faults))

    in_child(work)
    return list(json.loads(report.read_text())) if report.exists() else ["it could not be started again"]


def _count(connection: Any, table: Any) -> int:
    return int(connection.scalar(select(func.count()).select_from(table)))


def _active(connection: Any) -> bool:
    return bool(connection.scalar(select(signing_keys.c.state)) == "active")


def main() -> None:
    directory, crashes = Path(sys.argv[1]), int(sys.argv[2])
    steps = steps_of(directory)
    report = []
    for number in range(crashes):
        step = 1 + number * (steps - 1) // (crashes - 1)
        data = directory / f"data-{step}"
        report.append({"step": step, "died": die_at(data, step), "faults": faults_of(data)})
    print(json.dumps(report))


if __name__ == "__main__":
    main()
