"""What Mooring can't start on: one clear line, exit code 2, and nothing changed."""

import base64
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection

from mooring import installation
from mooring.database.sqlite import SQLite
from mooring.installation import held
from mooring.settings import load
from tests.disks import fill, read_only, small_disk
from tests.installation.conftest import Mooring

MIB = 1024 * 1024

Spoil = Callable[[Path], object]


def fingerprint(directory: Path) -> dict[str, str]:
    """Every file by its content. SQLite's own side files come and go with each reader."""
    kept = (
        path for path in sorted(directory.rglob("*")) if path.is_file() and path.suffix not in (".db-shm", ".db-wal")
    )
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in kept
        if path.name != "lock"
    }


def refuse(mooring: Mooring, data: Path, **environment: str) -> str:
    """The one line that a start on this directory is refused with."""
    before = fingerprint(data) if data.is_dir() else None
    said = mooring("serve", "--data", data, **environment)
    assert said.code == 2, said
    assert "Traceback" not in said.err
    assert said.err.startswith("mooring: ")
    assert len(said.err.splitlines()) == 1, said.err
    assert said.out == ""
    if before is not None:
        assert fingerprint(data) == before
    return said.err


def _newer_schema(data: Path) -> None:
    database = SQLite(data / "mooring.db")
    database.write_now(_mark_newer)
    database.close()


def _mark_newer(connection: Connection) -> None:
    connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'v9999'")
    connection.exec_driver_sql("UPDATE schema_window SET oldest = 'v9999'")


def _wipe_store(data: Path) -> None:
    shutil.rmtree(data / "objects")
    (data / "objects").mkdir()


def _put_directory(data: Path) -> None:
    (data / "mooring.db").unlink()
    (data / "mooring.db").mkdir()


def _cut(data: Path) -> None:
    os.truncate(data / "mooring.db", 8192)


SPOILED: dict[str, tuple[Spoil, str]] = {
    "a newer schema": (_newer_schema, "It was written by a newer version: start that one."),
    "no master key": (lambda data: (data / "master.key").unlink(), "master.key can't be read"),
    "half a master key": (lambda data: (data / "master.key").write_text("c2hvcnQ=\n"), "has 5 bytes; 32 are needed"),
    "a master key of rubbish": (lambda data: (data / "master.key").write_text("not base64!"), "is not base64"),
    "binary rubbish for a master key": (
        lambda data: (data / "master.key").write_bytes(b"\xff\xfe\x00"),
        "can't be read",
    ),
    "another master key": (
        lambda data: (data / "master.key").write_bytes(base64.b64encode(bytes(32))),
        "The master key is not the one that this database was made with.",
    ),
    "a database of rubbish": (lambda data: (data / "mooring.db").write_bytes(b"rubbish" * 1000), "is damaged"),
    "a database that was cut off": (_cut, "is damaged"),
    "a directory for a database": (_put_directory, "database can't answer"),
    "an emptied store": (_wipe_store, "has no marker"),
    "another registry's store": (
        lambda data: (data / "objects" / "cluster-id").write_text("another\n"),
        "belongs to another registry (another)",
    ),
}


@pytest.mark.parametrize("state", SPOILED)
def test_a_spoiled_directory_is_told_and_left_alone(mooring: Mooring, data: Path, state: str) -> None:
    spoil, words = SPOILED[state]
    spoil(data)
    assert words in refuse(mooring, data)


@pytest.mark.parametrize("state", ["a newer schema", "another master key", "a database of rubbish"])
@pytest.mark.parametrize("command", ["migrate", "check", "gc"])
def test_other_commands_refuse_it_too(mooring: Mooring, data: Path, state: str, command: str) -> None:
    SPOILED[state][0](data)
    before = fingerprint(data)
    said = mooring(command, "--data", data)
    assert said.code == 2, said
    assert SPOILED[state][1] in said.err
    assert "Traceback" not in said.err
    assert fingerprint(data) == before


def test_a_directory_that_another_server_holds(mooring: Mooring, data: Path) -> None:
    with held(load(data=data)):
        assert "Another Mooring runs on the data directory" in refuse(mooring, data)
    assert mooring("serve", "--data", data).code == 0


def test_a_file_where_the_directory_should_be(mooring: Mooring, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    assert "can't be written to" in refuse(mooring, tmp_path / "data")


def test_a_read_only_directory(mooring: Mooring, data: Path) -> None:
    with read_only(data):
        assert "can't be written to: Read-only file system." in refuse(mooring, data)
    assert mooring("serve", "--data", data).code == 0


def test_a_read_only_place_for_a_new_directory(mooring: Mooring, tmp_path: Path) -> None:
    with read_only(tmp_path):
        assert "can't be written to: Read-only file system." in refuse(mooring, tmp_path / "data")


@pytest.mark.parametrize("leave", [0, 64 * 1024, 256 * 1024])
def test_a_full_disk(mooring: Mooring, tmp_path: Path, leave: int) -> None:
    """Wherever the first start runs out of space, one on a disk with room goes on from there."""
    with small_disk(tmp_path / "disk", 4 * MIB) as disk:
        ballast = fill(disk, leave=leave)
        said = mooring("serve", "--data", disk / "data")
        assert said.code == 2, said
        assert "full" in said.err or "No space left" in said.err
        assert len(said.err.splitlines()) == 1
        ballast.unlink()
        said = mooring("serve", "--data", disk / "data")
        assert (said.code, said.err) == (0, "")
        assert "password" in said.out
        assert mooring("check", "--data", disk / "data").out == "No faults.\n"


def test_a_network_file_system(mooring: Mooring, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_file_system", lambda _path: "nfs4")
    assert "lies on a network file system (nfs4)" in refuse(mooring, data)


def test_the_kind_of_a_file_system_is_known(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", MIB) as disk:
        assert installation._file_system(disk / "mooring.db") == "tmpfs"


WRONG_SETTINGS = {
    "MOORING_PORT": ("70000", "port"),
    "MOORING_WORKERS": ("none", "workers"),
    "MOORING_EXTERNAL_URL": ("registry.example", "external_url"),
    "MOORING_MASTER_KEY": ("rubbish", "MOORING_MASTER_KEY is not base64"),
    "MOORING_MASTER_KEY_FILE": ("/nowhere/key", "/nowhere/key can't be read"),
    "MOORING_DATABASE_URL": ("mysql://localhost/mooring", "MOORING_DATABASE_URL"),
    "MOORING_STORE": ("ftp://bucket", "MOORING_STORE"),
    "MOORING_LOG_LEVEL": ("loud", "log_level"),
    "MOORING_CONFIG": ("/nowhere/mooring.toml", "/nowhere/mooring.toml can't be read"),
}


@pytest.mark.parametrize("name", WRONG_SETTINGS)
def test_a_wrong_setting_is_named(mooring: Mooring, data: Path, name: str) -> None:
    value, words = WRONG_SETTINGS[name]
    before = fingerprint(data)
    said = mooring("serve", "--data", data, **{name: value})
    assert said.code == 2, said
    assert words in said.err
    assert "Traceback" not in said.err
    assert fingerprint(data) == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("port = [", "is not valid TOML"),
        ("prot = 5001", "prot"),
        ('port = "high"', "port"),
        ("\ufffe\x00", "is not valid TOML"),
    ],
)
def test_a_wrong_file_of_settings_is_told(mooring: Mooring, data: Path, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "mooring.toml").write_text(text)
    said = mooring("serve", "--data", data, "--config", tmp_path / "mooring.toml")
    assert said.code == 2, said
    assert words in said.err
    assert "Traceback" not in said.err


def test_a_wrong_key_changes_nothing_even_when_given_by_the_environment(mooring: Mooring, data: Path) -> None:
    other = base64.b64encode(b"k" * 32).decode()
    assert "is not the one" in refuse(mooring, data, MOORING_MASTER_KEY=other)


def test_two_master_keys_are_one_too_many(mooring: Mooring, data: Path) -> None:
    key = (data / "master.key").read_text()
    given = {"MOORING_MASTER_KEY": key, "MOORING_MASTER_KEY_FILE": str(data / "master.key")}
    assert "not both" in refuse(mooring, data, **given)


def test_another_registrys_store_is_refused(mooring: Mooring, data: Path, tmp_path: Path) -> None:
    store = tmp_path / "elsewhere"
    store.mkdir()
    (store / "cluster-id").write_text("6a0b6a5e-1b1e-4c0e-9a57-9c1f0a3f9d10\n")
    said = mooring("serve", "--data", tmp_path / "new", MOORING_STORE=f"file://{store}")
    assert said.code == 2, said
    assert "belongs to another registry" in said.err


def test_a_leftover_of_a_killed_start_is_no_obstacle(mooring: Mooring, data: Path) -> None:
    (data / "master.key.0badcafe").write_text("half a k")
    (data / "objects" / "cluster-id.new").write_text("half a m")
    assert mooring("serve", "--data", data).code == 0
