"""Data directories in every state, and what `mooring` says to each."""

import contextlib
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mooring.cli import serve
from mooring.cli.main import main
from mooring.installation import install
from mooring.settings import load


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


Mooring = Callable[..., Said]


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("MOORING_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory as the first start leaves it."""
    directory = tmp_path_factory.mktemp("template") / "data"
    install(load(data=directory))
    return directory


@pytest.fixture
def data(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "data"))


@pytest.fixture
def mooring(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Mooring:
    """Runs a command in this process; `serve` ends where it would start workers."""

    def run(*arguments: str | Path, **environment: str) -> Said:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["mooring", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return Said(int(ended.value.code or 0), out, err)

    monkeypatch.setattr(serve, "run", lambda _settings, _config, _listener: sys.exit(0))
    monkeypatch.setattr(serve, "listening", lambda _settings: contextlib.nullcontext())
    return run
