"""`mooring doctor` as a person or a script runs it."""

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mooring.cli.main import application
from mooring.errors import Invalid, MooringError
from tests.doctor import scenarios
from tests.doctor.harbor import ADMIN, Harbor, built, make_key
from tests.doctor.standing import answering, standing


@pytest.fixture(scope="module")
def broken() -> Iterator[Harbor]:
    harbor = built(make_key(), make_key())
    scenarios.other_key(harbor)
    with standing(harbor) as running:
        yield running


@pytest.fixture(scope="module")
def sound() -> Iterator[Harbor]:
    with standing(built(make_key(), make_key())) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("MOORING_DOCTOR_USERNAME", raising=False)


def doctor(*words: str, typed: str = "") -> Result:
    return CliRunner().invoke(application, ["doctor", *words], input=typed)


def test_a_sound_harbor_ends_with_0(sound: Harbor) -> None:
    done = doctor(sound.balancer.url, "--core", sound.second.url, "--samples", "4")
    assert done.exit_code == 0, done.output
    assert "Nothing was found that refuses pushes." in done.output
    assert "No credentials were used." in done.output
    assert "may a good token open an upload: not looked at, needs credentials that may push" in done.output


def test_json_has_what_a_script_needs(broken: Harbor) -> None:
    done = doctor("--harbor", broken.balancer.url, "--samples", "4", "--output", "json")
    assert done.exit_code == 1, done.output
    (finding,) = json.loads(done.output)["findings"]
    assert finding["cause"] == "RC1"
    assert finding["confidence"] == "certain"
    assert any(broken.key.kid in line and broken.other_key.kid in line for line in finding["evidence"])
    assert "mooring doctor fix harbor-token-key" in finding["remedy"]
    assert finding["title"] == "The cores do not have one token signing key"


def test_a_password_goes_where_it_was_sent_and_nowhere_else(broken: Harbor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORING_DOCTOR_USERNAME", ADMIN[0])
    monkeypatch.setenv("MOORING_DOCTOR_PASSWORD", ADMIN[1])
    done = doctor(broken.balancer.url, "--samples", "4", "--no-upload")
    assert done.exit_code == 1
    assert ADMIN[1] not in done.output
    assert (
        f"The credentials of admin (from MOORING_DOCTOR_USERNAME) were sent to {broken.balancer.url} and" in done.output
    )


def test_a_report_in_chinese(broken: Harbor) -> None:
    done = doctor("--harbor", broken.balancer.url, "--samples", "4", "--lang", "zh")
    assert done.exit_code == 1
    assert "各 core 的令牌签名密钥不一致" in done.output
    assert "检查内容" in done.output
    assert "1 项发现。" in done.output
    assert " 次)" in done.output
    assert "times" not in done.output
    assert "The cores" not in done.output


def test_a_page_needs_nothing_else(broken: Harbor) -> None:
    done = doctor("--harbor", broken.balancer.url, "--samples", "4", "--output", "html")
    assert done.output.startswith("<!doctype html>")
    assert "src=" not in done.output
    assert "href=" not in done.output


def test_nothing_to_look_at_is_2() -> None:
    for words in (["http://127.0.0.1:1"], ["--samples", "4"], ["https://admin:secret@harbor.example"], ["ftp://x"]):
        done = doctor(*words)
        assert isinstance(done.exception, MooringError), "main() says its text and exits with 2"
        assert "secret" not in done.exception.text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["https://x.example:99999"], "is no address of a registry"),
        (["https://x.example:0"], "is no address of a registry"),
        (["https://[::1"], "is no address of a registry"),
        (["https://x.example", "--username", "dev1"], "--password-stdin together"),
        (["https://x.example", "--password-stdin"], "--username and"),
    ],
)
def test_half_an_address_or_credential_is_refused(words: list[str], said: str) -> None:
    done = doctor(*words, typed="secret\n")
    assert isinstance(done.exception, Invalid)
    assert said in done.exception.text


def test_a_password_of_standard_input(sound: Harbor) -> None:
    words = [sound.balancer.url, "--samples", "4", "--username", ADMIN[0], "--password-stdin", "--output", "json"]
    done = doctor(*words, typed=f"{ADMIN[1]}\n")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["credentials"]["source"] == "the command line"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "is neither a Harbor nor a Mooring"),
        (b"HTTP/1.1 308 Moved\r\nlocation: https://x.example/\r\ncontent-length: 0\r\n\r\n", "https://x.example/"),
    ],
    ids=["another registry", "a redirect"],
)
def test_what_can_not_be_examined_is_no_clean_report(answer: bytes, said: str) -> None:
    with answering(answer) as server:
        done = doctor(f"http://127.0.0.1:{server.port}")
    assert isinstance(done.exception, MooringError)
    assert said in done.exception.text


def test_credentials_of_dockers_login(sound: Harbor, tmp_path: Path) -> None:
    place = sound.balancer.url.removeprefix("http://")
    auth = b64encode(":".join(ADMIN).encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {place: {"auth": auth}}}))
    done = doctor(sound.balancer.url, "--samples", "4", "--output", "json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)["credentials"]
    assert found == {"name": "admin", "source": f"docker's {tmp_path}/config.json", "sent_to": [sound.balancer.url]}
