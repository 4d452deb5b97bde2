"""`mooring user`: what it refuses."""

import io
import sys
from pathlib import Path

import pytest

from tests.installation.conftest import Mooring


def test_the_last_administrator_is_not_disabled(mooring: Mooring, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = mooring("user", "disable", "admin", "--data", data)
    assert (tried.code, tried.out) == (2, "")
    assert tried.err == "mooring: This is the last system administrator. Make another one first.\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO("Another-Sailor-8\n"))
    assert mooring("user", "create", "second", "--admin", "--password-stdin", "--data", data).code == 0
    assert mooring("user", "disable", "admin", "--data", data).code == 0
    assert mooring("user", "disable", "admin", "--data", data).code == 0, "is so already"
    assert mooring("user", "disable", "second", "--data", data).code == 2
    assert mooring("user", "enable", "admin", "--data", data).code == 0
    assert mooring("user", "disable", "second", "--data", data).code == 0
    listed = mooring("user", "list", "--data", data).out.splitlines()
    assert [line.split("\t")[1:5] for line in listed[1:]] == [["admin", "", "yes", ""], ["second", "", "yes", "yes"]]
