"""A Mooring examined with its own settings: its database, and its store against the index."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mooring.cli.main import application
from mooring.cluster import heartbeat
from mooring.cluster.heartbeat import Pulse
from mooring.errors import ConfigurationError
from tests.http.site import ADMIN_PASSWORD, Site, basic
from tests.management.pushing import push_blob

ADMIN = basic("admin", ADMIN_PASSWORD)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with Site(tmp_path / "data") as made:
        told = made.parts.configuration.told()
        for name in ("one", "two"):
            pulse = Pulse(ready=True, keys=["k"], settings=told, host=name)
            made.write(heartbeat.beat, made.now, f"{name}/1-{name}", pulse)
        yield made


def push(site: Site, content: bytes) -> str:
    def send(method: str, path: str, headers: Mapping[str, str], body: bytes) -> int:
        return site.ask(method, path, [ADMIN, *headers.items()], body).status

    return str(push_blob(send, "library/app", content)["digest"])


def doctor(site: Site, *words: str) -> tuple[int, Any]:
    options = ["doctor", "--here", "--data", str(site.settings.data), "--output", "json", *words]
    done = CliRunner().invoke(application, options)
    assert done.exit_code in {0, 1}, (done.output, done.exception)
    return done.exit_code, json.loads(done.output)


@pytest.mark.parametrize("manner", ["sample", "sizes", "bytes"])
def test_bytes_that_are_gone_are_named(site: Site, manner: str) -> None:
    digests = [push(site, f"layer {number}".encode()) for number in range(8)]
    code, report = doctor(site, "--store", manner)
    assert (code, report["findings"], report["gaps"]) == (0, [], [])
    states = {check["id"]: check["state"] for check in report["checks"]}
    assert states["store"] == states["configuration"] == states["members"] == "clear"
    for path in (site.settings.data / "objects").glob("??/*"):
        if path.read_bytes() == b"layer 5":
            path.unlink()
    code, report = doctor(site, "--store", manner)
    (finding,) = report["findings"]
    assert code == 1
    assert any(line.startswith(f"{digests[5]}: the store does not have it") for line in finding["evidence"])


def test_a_sample_of_many_looks_at_some(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mooring.doctor.here.SAMPLE", 20)
    for number in range(40):
        push(site, f"layer {number}".encode())
    for path in (site.settings.data / "objects").glob("??/*"):
        path.write_bytes(b"spoilt!")
    code, report = doctor(site)
    (finding,) = report["findings"]
    looked_at = int(finding["evidence"][0].partition(" in ")[2].partition(" ")[0])
    assert code == 1
    assert 0 < looked_at <= 20


def test_the_store_can_be_left_out(site: Site) -> None:
    _, report = doctor(site, "--store", "none")
    states = {check["id"]: check for check in report["checks"]}
    assert states["store"]["state"] == "missing"
    assert states["members"]["state"] == "clear"


def test_replicas_that_differ_are_named(site: Site) -> None:
    told = {**site.parts.configuration.told(), "external_url": "http://elsewhere.example"}
    site.write(heartbeat.beat, site.now, "two/1-two", Pulse(ready=True, keys=["k"], settings=told, host="two"))
    code, report = doctor(site)
    assert code == 1
    assert [finding["title"] for finding in report["findings"]] == ["The setting external_url differs between replicas"]


def test_no_registry_here_is_2(tmp_path: Path) -> None:
    done = CliRunner().invoke(application, ["doctor", "--here", "--data", str(tmp_path / "none")])
    assert isinstance(done.exception, ConfigurationError), "main() says its text and exits with 2"
