"""A kubeconfig that can't be used is said to be one, whatever is wrong with it."""

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mooring.doctor.kubernetes.kubeconfig import load
from mooring.errors import ConfigurationError

SERVER = "https://127.0.0.1:6443"


def written(directory: Path, user: dict[str, Any], cluster: dict[str, Any]) -> Path:
    path = directory / "config"
    named = {"name": "there", "context": {"cluster": "there", "user": "me", "namespace": "harbor"}}
    settings = {
        "current-context": "there",
        "contexts": [named],
        "clusters": [{"name": "there", "cluster": cluster}],
        "users": [{"name": "me", "user": user}],
    }
    path.write_text(yaml.safe_dump(settings))
    return path


def printing(text: str) -> dict[str, Any]:
    return {"exec": {"command": sys.executable, "args": ["-c", f"print({text!r})"]}}


def test_a_token_of_a_file_and_of_a_program(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first\n")
    access = load(None, written(tmp_path, {"tokenFile": "token"}, {"server": f"{SERVER}/"}))
    assert (access.url, access.token, access.namespace) == (SERVER, "first", "harbor")
    assert load(None, written(tmp_path, printing('{"status": {"token": "second"}}'), {"server": SERVER})).token == (
        "second"
    )


@pytest.mark.parametrize(
    ("user", "cluster", "said"),
    [
        ({"tokenFile": "gone"}, {"server": SERVER}, "gone"),
        ({"client-certificate": "gone"}, {"server": SERVER}, "gone"),
        ({"client-certificate-data": "abc"}, {"server": SERVER}, "is no kubeconfig that can be used"),
        ({}, {"server": SERVER, "certificate-authority-data": "bm9uZQ=="}, "is no kubeconfig that can be used"),
        ({}, {}, "it lacks 'server'"),
        ({"exec": {"args": ["get"]}}, {"server": SERVER}, "it lacks 'command'"),
        (printing("[]"), {"server": SERVER}, "gave none"),
        (printing('{"status": null}'), {"server": SERVER}, "gave none"),
    ],
)
def test_what_can_not_be_used(user: dict[str, Any], cluster: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(None, written(tmp_path, user, cluster))
    assert said in refused.value.text


def test_a_context_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="has no 'elsewhere' among its contexts"):
        load("elsewhere", written(tmp_path, {}, {"server": SERVER}))
