"""Two versions of Mooring serve one database side by side, until the newer one takes away what the older one needs."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.next import AFTER, BEFORE, NEXT, PRESENT
from tests.replicas.crew import Crew, ask, failed, pull, push, wait_for_failure
from tests.replicas.replica import Replica

pytestmark = pytest.mark.replicas


@contextmanager
def paused(replica: Replica) -> Iterator[None]:
    """As a machine that is cut off: it neither answers nor beats, and does not know."""
    assert replica.process is not None
    os.killpg(replica.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(replica.process.pid, signal.SIGCONT)


def test_a_rolling_upgrade_between_two_schema_versions(crew: Crew) -> None:
    (old,) = crew.start("old")
    push(old.port, "by-the-old")
    (new,) = crew.start("new", module=NEXT)
    assert crew.execute(f"SELECT 1 FROM alembic_version WHERE version_num = '{BEFORE}'") == 1

    # Side by side.
    assert failed(old) == {}
    push(old.port, "by-the-old-again")
    push(new.port, "by-the-new")
    for replica in (old, new):
        for tag in ("by-the-old", "by-the-old-again", "by-the-new"):
            pull(replica.port, tag)
    assert crew.execute("SELECT 1 FROM tags WHERE berth = ''") == 2
    assert crew.execute("SELECT 1 FROM tags WHERE berth = 'next'") == 1
    rolled = crew.command("migrate")
    assert (rolled.code, rolled.text) == (0, "The database is current.\n"), "it has nothing to do: it may be rolled to"
    status = crew.command("cluster", "status", module=NEXT)
    assert status.code == 0, status
    assert f"Schema {AFTER} is left to be applied" in status.text

    # The second phase waits for the older one by name.
    refused = crew.command("migrate", "--phase", "after", module=NEXT)
    assert refused.code == 2
    assert f"Schema {AFTER} takes away what these replicas still need: old/" in refused.text
    push(old.port, "still-served")

    # One that was cut off meanwhile, and taken for dead, comes back too old.
    with paused(old):
        crew.execute("DELETE FROM replicas WHERE name LIKE 'old/%'")
        done = crew.command("migrate", "--phase", "after", module=NEXT)
        assert done.code == 0, done
        assert f"Applied {AFTER}." in done.text
    reason = wait_for_failure(old, "schema", seconds=5)
    assert f"has schema {AFTER}, which only versions of Mooring that know {AFTER} may serve" in reason
    assert f"this one knows {PRESENT} at most" in reason
    answer = ask(old.port, "GET", "/v2/")
    assert answer.status == 503
    assert answer.headers["retry-after"]
    assert b"schema" in answer.body
    push(new.port, "only-by-the-new")
    pull(new.port, "only-by-the-new")

    # One that starts too old says so, and is listed.
    late = crew.launch("late")
    assert "start that one" in wait_for_failure(late, "schema")
    assert "start that one" in late.log.read_text()
    said = json.loads(crew.command("cluster", "status", "--json", module=NEXT).text)
    states = {row["name"].partition("/")[0]: row for row in said}
    assert states["new"]["pulse"]["ready"] is True
    assert states["late"]["schema"] == PRESENT
    assert "schema" in states["late"]["pulse"]["failed"]
    refused = crew.command("user", "list")
    assert (refused.code, "start that one" in refused.text) == (2, True)


def test_a_second_phase_that_was_asked_to_wait_goes_on_when_the_old_ones_have_gone(crew: Crew) -> None:
    (old,) = crew.start("old")
    crew.start("new", module=NEXT)
    old.stop()
    done = crew.command("migrate", "--phase", "after", "--wait", "30", module=NEXT)
    assert done.code == 0, done
    assert done.text.endswith("The database is current.\n")
