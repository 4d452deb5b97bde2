"""A database dumped and bytes copied while pushes go on, restored elsewhere: whole, and it pushes and pulls."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests import programs
from tests.postgresql import PostgreSQL
from tests.replicas.crew import Crew, Pusher, failed, gathered, pull, push, wait_for_failure

pytestmark = pytest.mark.replicas


def test_a_backup_is_restored_into_a_new_database_and_a_new_store(
    crew: Crew, postgresql: PostgreSQL, tmp_path: Path
) -> None:
    (replica,) = crew.start("registry-1")
    store, dump, copy = tmp_path / "store", tmp_path / "mooring.dump", tmp_path / "copy"
    with Pusher(crew) as pusher:
        pusher.more()
        before = list(pusher.pushed)
        run("pg_dump", "--format=custom", f"--file={dump}", crew.environment["MOORING_DATABASE_URL"])
        pusher.more()
        shutil.copytree(store, copy)
    assert pusher.refused == []
    restored = tmp_path / "restored"
    restored.mkdir()
    with gathered(restored, postgresql) as other:
        other.environment["MOORING_MASTER_KEY"] = crew.environment["MOORING_MASTER_KEY"]
        run("pg_restore", "--no-owner", f"--dbname={other.environment['MOORING_DATABASE_URL']}", str(dump))

        # An empty store, and another registry's, are not taken in silence.
        stray = other.launch("too-early")
        assert "has no marker: it is not this registry's" in wait_for_failure(stray, "store")
        refused = other.command("store", "adopt")
        assert refused.code == 2
        assert "blobs that the database names" in refused.text
        (restored / "store" / "cluster-id").write_text("another\n")
        refused = other.command("store", "adopt", "--from", "somebody")
        assert (refused.code, "belongs to another registry, another" in refused.text) == (2, True)

        # The bytes come, without their marker, and the replica that waited is ready by itself.
        shutil.copytree(copy, restored / "store", dirs_exist_ok=True)
        (restored / "store" / "cluster-id").write_text("another\n")
        adopted = other.command("store", "adopt", "--from", "another")
        assert adopted.code == 0, adopted
        assert "is now this registry's" in adopted.text
        assert "this registry's already" in other.command("store", "adopt").text
        stray.wait_until_ready(10)
        checked = other.command("check")
        assert "No faults." in checked.text, checked
        for tag in before:
            pull(stray.port, tag, "library/load")
        push(stray.port, "after-the-restore")
        pull(stray.port, "after-the-restore")
    assert failed(replica) == {}


def run(*command: str) -> None:
    done = subprocess.run([programs.find(command[0]), *command[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
