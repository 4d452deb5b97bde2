"""What docker keeps of a login, and how a token is asked for with it."""

import json
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from mooring.egress.credentials import NAMELESS, Credentials, from_docker, token_request

URL = "https://registry.example:5000"
NAME = "registry.example:5000"


def kept(directory: Path, config: dict[str, Any]) -> Credentials | None:
    (directory / "config.json").write_text(json.dumps(config))
    return from_docker(URL, {"DOCKER_CONFIG": str(directory)})


def coded(text: str) -> str:
    return b64encode(text.encode()).decode()


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Knows one registry, by what the file beside it says; asked for another it fails, as docker's do."""
    said = tmp_path / "said"
    program = tmp_path / "docker-credential-test"
    program.write_text(f'#!/bin/sh\n[ "$1" = get ] && [ "$(cat)" = {NAME} ] && exec cat {said}\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return said


@pytest.mark.parametrize("config", [{"credHelpers": {NAME: "test"}}, {"credsStore": "test", "auths": {NAME: {}}}])
def test_a_helper_is_asked(tmp_path: Path, helper: Path, config: dict[str, Any]) -> None:
    helper.write_text(json.dumps({"ServerURL": NAME, "Username": "ci", "Secret": "a password"}))
    assert kept(tmp_path, config) == Credentials("ci", "a password", "docker-credential-test")


def test_a_helper_that_keeps_an_identity_token(tmp_path: Path, helper: Path) -> None:
    helper.write_text(json.dumps({"ServerURL": NAME, "Username": NAMELESS, "Secret": "a token"}))
    found = kept(tmp_path, {"credHelpers": {NAME: "test"}})
    assert found is not None
    assert (found.password, found.identity, found.header) == ("a token", True, None)


@pytest.mark.parametrize("said", ["", "{}", "[]", '{"Username": "ci", "Secret": ""}'])
def test_a_helper_that_gives_nothing(tmp_path: Path, helper: Path, said: str) -> None:
    helper.write_text(said)
    assert kept(tmp_path, {"credHelpers": {NAME: "test"}}) is None


def test_a_helper_is_a_name_and_no_path(tmp_path: Path, helper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docker-credential-x").mkdir()
    helper.write_text(json.dumps({"Username": "ci", "Secret": "a password"}))
    assert kept(tmp_path, {"credHelpers": {NAME: "x/../docker-credential-test"}}) is None


@pytest.mark.parametrize("name", [NAME, URL, f"{URL}/v2/", f"{URL}/"])
def test_a_login_in_the_file(tmp_path: Path, name: str) -> None:
    found = kept(tmp_path, {"auths": {name: {"auth": coded("ci:a:password")}}})
    assert found is not None
    assert (found.name, found.password, found.identity) == ("ci", "a:password", False)


@pytest.mark.parametrize(
    "auths",
    [{"elsewhere.example": {"auth": coded("ci:secret")}}, {NAME: {"auth": "é"}}, {NAME: {"auth": coded("ci:")}}],
    ids=["of another registry", "damaged", "no password"],
)
def test_no_login_in_the_file(tmp_path: Path, auths: dict[str, Any]) -> None:
    assert kept(tmp_path, {"auths": auths}) is None


@pytest.mark.parametrize("config", [{"credHelpers": "test"}, {"auths": [NAME], "credsStore": "test"}, {"auths": 1}])
def test_a_file_of_another_shape_holds_no_login(tmp_path: Path, helper: Path, config: dict[str, Any]) -> None:
    helper.write_text(json.dumps({"Username": "ci", "Secret": "a password"}))
    assert kept(tmp_path, config) is None


def test_a_password_is_shown_in_a_header_and_an_identity_token_in_a_form() -> None:
    scopes = ("repository:a:pull", "repository:b:push")
    plain = token_request(Credentials("ci", "secret", "test"), "registry", scopes)
    assert (plain.method, plain.body) == ("GET", None)
    assert parse_qs(plain.query.removeprefix("?")) == {"service": ["registry"], "scope": list(scopes)}
    assert plain.headers["authorization"] == f"Basic {coded('ci:secret')}"
    held = token_request(Credentials("ci", "a token", "test", identity=True), "registry", scopes)
    assert (held.method, held.query, "authorization" in held.headers) == ("POST", "", False)
    form = parse_qs((held.body or b"").decode())
    assert (form["grant_type"], form["refresh_token"]) == (["refresh_token"], ["a token"])
    assert form["scope"] == [" ".join(scopes)]
    assert token_request(None, "registry", ()).headers == {}
