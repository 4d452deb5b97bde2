"""What the first start makes and prints, wherever it is killed; and that later ones do neither."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from mooring.cluster.master_key import master_key
from mooring.database.sqlite import SQLite
from mooring.identity.tables import users
from mooring.installation import install
from mooring.projects.tables import projects
from mooring.settings import load
from tests.installation.conftest import Mooring

CRASHES = 30


def password_in(text: str) -> str:
    found = re.search(r"^  password  (\S+)$", text, re.MULTILINE)
    assert found, text
    return found[1]


def everything_in(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())


def test_it_prints_the_address_the_user_a_password_and_what_to_try(mooring: Mooring, tmp_path: Path) -> None:
    said = mooring("serve", "--data", tmp_path / "data", "--port", "5123")
    assert said.err == ""
    assert "http://127.0.0.1:5123" in said.out
    assert "  user      admin" in said.out
    assert len(password_in(said.out)) >= 16
    for command in ("docker login", "docker tag", "docker push"):
        assert f"{command} " in said.out


def test_the_password_is_kept_only_as_a_hash(mooring: Mooring, tmp_path: Path) -> None:
    said = mooring("serve", "--data", tmp_path / "data")
    assert password_in(said.out).encode() not in everything_in(tmp_path / "data")


def test_each_registry_has_a_password_of_its_own(mooring: Mooring, tmp_path: Path) -> None:
    passwords = {password_in(mooring("serve", "--data", tmp_path / name).out) for name in "abc"}
    assert len(passwords) == 3


def test_a_later_start_prints_none(mooring: Mooring, data: Path) -> None:
    said = mooring("serve", "--data", data)
    assert said.code == 0
    assert "password" not in said.out
    assert "docker" not in said.out


def test_a_given_password_is_taken_and_neither_printed_nor_stored(mooring: Mooring, tmp_path: Path) -> None:
    given = "Salt-Water-77"
    said = mooring("serve", "--data", tmp_path / "data", MOORING_ADMIN_PASSWORD=given)
    assert given not in said.out + said.err
    assert "MOORING_ADMIN_PASSWORD" in said.out
    assert given.encode() not in everything_in(tmp_path / "data")


def test_a_weak_password_is_refused_before_anything_is_made(mooring: Mooring, tmp_path: Path) -> None:
    data = tmp_path / "data"
    said = mooring("serve", "--data", data, MOORING_ADMIN_PASSWORD="x")
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "mooring: MOORING_ADMIN_PASSWORD is too weak. "
        "A password has 8 to 128 characters, with an upper-case letter, a lower-case one and a digit.\n"
    )
    assert not (data / "master.key").exists()
    assert mooring("serve", "--data", data, MOORING_ADMIN_PASSWORD="Salt-Water-77").code == 0
    assert mooring("serve", "--data", data, MOORING_ADMIN_PASSWORD="x").code == 0, "read at the first start only"


def test_a_password_given_later_changes_nothing(mooring: Mooring, data: Path) -> None:
    before = admin_of(data)
    assert mooring("serve", "--data", data, MOORING_ADMIN_PASSWORD="Salt-Water-77").code == 0
    assert admin_of(data) == before


def test_a_migration_makes_the_same(mooring: Mooring, tmp_path: Path) -> None:
    said = mooring("migrate", "--data", tmp_path / "data")
    assert (said.code, said.err) == (0, "")
    assert password_in(said.out)
    assert "The database is current." in said.out
    assert "password" not in mooring("serve", "--data", tmp_path / "data").out


def test_there_is_one_administrator_and_one_public_project(data: Path) -> None:
    assert admin_of(data)[0] == "admin"
    database = SQLite(data / "mooring.db")
    assert database.read_now(_projects) == [("library", True)]
    database.close()


def test_the_master_key_is_durable_before_anything_is_sealed_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        fsync(descriptor)
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    monkeypatch.setattr(os, "fsync", noted)
    (tmp_path / "data").mkdir()
    master_key(load(data=tmp_path / "data"), create=True)
    assert [name.partition(".")[0] for name in synced] == ["master", "data"]


@pytest.mark.faults
def test_one_that_is_killed_at_any_moment_is_gone_on_with(tmp_path: Path) -> None:
    """Killed before each of many steps, be it a statement, a file or a folder, and then simply started again."""
    program = Path(__file__).with_name("dying.py")
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path), str(CRASHES)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert len(report) == CRASHES
    assert len({crash["step"] for crash in report}) == CRASHES
    for crash in report:
        assert crash["died"] == 9, crash
        assert crash["faults"] == [], crash


def test_installing_twice_changes_nothing(data: Path) -> None:
    before = admin_of(data)
    assert install(load(data=data)).first is False
    assert admin_of(data) == before


def admin_of(data: Path) -> tuple[str, str]:
    database = SQLite(data / "mooring.db")
    try:
        return database.read_now(_admin)
    finally:
        database.close()


def _admin(connection: Connection) -> tuple[str, str]:
    row = connection.execute(select(users.c.username, users.c.password_hash)).one()
    return row.username, row.password_hash


def _projects(connection: Connection) -> list[tuple[str, bool]]:
    return [(row.name, row.public) for row in connection.execute(select(projects))]
