"""What a person reads who got something wrong at the command line."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import StartServer
from tests.server import Server


def mooring(*arguments: str | Path, typed: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MOORING_")}
    return subprocess.run(
        [sys.executable, "-m", "mooring", *map(str, arguments)],
        env=inherited | environment,
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_port_in_use_is_refused_before_anything_is_made(server: Server, tmp_path: Path) -> None:
    """The server's sockets share a port with whoever does the same: two registries would each get some requests."""
    tried = mooring("serve", "--port", str(server.port), "--data", tmp_path / "other")
    assert tried.returncode == 2
    assert tried.stderr.strip() == (
        f"mooring: The address 127.0.0.1 port {server.port} is in use by another program. Give --port another one."
    )
    assert [entry.name for entry in (tmp_path / "other").iterdir()] == ["lock"]


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    tried = mooring("serve", "--host", "192.0.2.1", "--port", "5999", "--data", tmp_path)
    assert tried.returncode == 2
    assert "can't listen on 192.0.2.1 port 5999" in tried.stderr
    assert "Traceback" not in tried.stderr


def test_a_directory_without_a_registry_is_named(tmp_path: Path) -> None:
    tried = mooring("user", "list", "--data", tmp_path)
    assert tried.returncode == 2
    assert f"There is no database {tmp_path / 'mooring.db'}." in tried.stderr
    assert list(tmp_path.iterdir()) == [], "looking makes nothing"


def test_a_message_is_one_line_however_long(tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 100) / ("b" * 100)
    assert len(mooring("keys", "list", "--data", deep).stderr.splitlines()) == 1


def test_lists_are_whole_when_a_program_reads_them(start_server: StartServer) -> None:
    data = start_server().data
    kid, state, *_ = mooring("keys", "list", "--data", data).stdout.splitlines()[1].split("\t")
    assert (len(kid), state) == (43, "active")
    assert "1\tadmin\t\tyes\t\t" in mooring("user", "list", "--data", data).stdout


def test_a_setting_that_this_version_can_not_follow_is_found(tmp_path: Path) -> None:
    tried = mooring("config", "check", "--data", tmp_path, MOORING_STORE="ftp://bucket/prefix")
    assert tried.returncode == 2
    assert "MOORING_STORE must start with" in tried.stderr


def test_a_variable_that_is_no_setting_is_warned_of(tmp_path: Path) -> None:
    tried = mooring("config", "check", "--data", tmp_path, MOORING_PROT="5001")
    assert "warning: MOORING_PROT is set, but Mooring has no such setting" in tried.stdout


def test_a_weak_password_is_refused_as_by_the_api(server: Server) -> None:
    for command in (["create", "weak"], ["password", "admin"]):
        tried = mooring("user", *command, "--password-stdin", "--data", server.data, typed="longpassword\n")
        assert tried.returncode == 2
        assert "with an upper-case letter, a lower-case one and a digit" in tried.stderr
