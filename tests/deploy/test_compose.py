"""Two replicas with Docker Compose: the file, its secrets, its load balancer, and all of it running."""

import base64
import re
import signal
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from mooring.settings import Settings
from tests.clients.client import shell_in
from tests.clients.crane import Crane
from tests.deploy import compose
from tests.deploy.compose import FOLDER, Model, Running
from tests.postgresql import PostgreSQL
from tests.postgresql import running as postgresql
from tests.programs import Refused, Shell, find

SECRETS = ("MOORING_ADMIN_PASSWORD", "MOORING_MASTER_KEY", "POSTGRES_PASSWORD", "S3_SECRET_KEY")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compose.fill(tmp_path_factory.mktemp("filled"))


@pytest.fixture(scope="module")
def model(copy: Path) -> Model:
    return compose.load(copy)


@pytest.mark.parametrize("secret", SECRETS)
def test_nothing_starts_without_its_secrets(tmp_path: Path, secret: str) -> None:
    copy = compose.fill(tmp_path)
    lines = (copy / ".env").read_text().splitlines(keepends=True)
    (copy / ".env").write_text("".join(line for line in lines if not line.startswith(f"{secret}=")))
    with pytest.raises(Refused) as refused:
        compose.load(copy)
    assert f"required variable {secret} is missing a value: copy .env.example" in refused.value.output
    assert not [other for other in SECRETS if other != secret and f"variable {other} " in refused.value.output]


def test_the_example_holds_no_secret() -> None:
    lines = (FOLDER / ".env.example").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert given.keys() == {*SECRETS, "MOORING_EXTERNAL_URL", "MOORING_LISTEN"}
    assert {name for name, value in given.items() if not value} == set(SECRETS)


def test_the_command_makes_each_secret_at_random(copy: Path, tmp_path: Path) -> None:
    first, second = compose.settings(copy), compose.settings(compose.fill(tmp_path))
    made = [found[name] for found in (first, second) for name in SECRETS]
    assert len(set(made)) == len(made)
    assert all(len(base64.b64decode(value, validate=True)) == 32 for value in made)
    assert stat.S_IMODE((copy / ".env").stat().st_mode) == 0o600


def test_the_two_replicas_differ_in_their_name_alone(model: Model) -> None:
    first, second = model["services"]["mooring-1"], model["services"]["mooring-2"]
    assert first["environment"].pop("MOORING_REPLICA") == "mooring-1"
    assert second["environment"].pop("MOORING_REPLICA") == "mooring-2"
    assert first == second
    first["environment"]["MOORING_REPLICA"], second["environment"]["MOORING_REPLICA"] = "mooring-1", "mooring-2"


def test_the_worker_is_told_what_the_replicas_are(model: Model) -> None:
    replica, worker = model["services"]["mooring-1"], model["services"]["worker"]
    assert worker["command"] == ["worker"]
    assert worker["environment"] == replica["environment"] | {"MOORING_REPLICA": "worker"}
    assert ":5001/readyz" in worker["healthcheck"]["test"][-1]


def test_the_replicas_are_given_settings_that_exist(model: Model) -> None:
    known = {f"MOORING_{name.upper()}" for name in Settings.model_fields}
    others = {"PGPASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert set(model["services"]["mooring-1"]["environment"]) <= known | others


def test_no_secret_is_written_in_the_file(copy: Path) -> None:
    text = (copy / "compose.yaml").read_text()
    for line in text.splitlines():
        if re.search(r"(PASSWORD|MASTER_KEY|SECRET\w*):", line):
            assert re.search(r": \$\{\w+:\?[^}]+\}$", line), line


def test_images_are_named_in_full_and_pinned(model: Model) -> None:
    for name, service in model["services"].items():
        if "build" not in service:
            assert re.fullmatch(r"[\w.]+\.\w+/[\w/]+:v?\d[\w.-]*", service["image"]), name


def test_only_the_load_balancer_is_reached_from_outside_and_only_from_this_machine(model: Model) -> None:
    published = {name: service["ports"] for name, service in model["services"].items() if service.get("ports")}
    assert published.keys() == {"balancer"}
    (port,) = published["balancer"]
    assert (port["host_ip"], port["published"], port["target"]) == ("127.0.0.1", "5000", 5000)


def test_the_replicas_run_with_the_least_rights(model: Model) -> None:
    for name in ("mooring-1", "mooring-2", "worker", "balancer"):
        service = model["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    for service in model["services"].values():
        assert not {"privileged", "network_mode", "pid"} & service.keys()


def test_a_stopping_replica_has_time_for_its_last_requests(model: Model) -> None:
    from mooring.processes import KILL_AFTER_SECONDS

    grace = re.fullmatch(r"1m(\d+)s", model["services"]["mooring-1"]["stop_grace_period"])
    assert grace is not None
    assert 60 + int(grace[1]) > KILL_AFTER_SECONDS + 10


def test_replicas_wait_for_what_they_need_and_say_when_they_are_ready(model: Model) -> None:
    replica = model["services"]["mooring-1"]
    assert {name: need["condition"] for name, need in replica["depends_on"].items()} == {
        "postgres": "service_healthy",
        "s3": "service_healthy",
    }
    for name in ("mooring-1", "worker", "postgres", "s3"):
        assert model["services"][name]["healthcheck"]["test"][0] == "CMD"
    assert "http://127.0.0.1:5000/readyz" in replica["healthcheck"]["test"][-1]


def test_the_readme_names_the_versions_that_the_file_uses(model: Model) -> None:
    readme = (FOLDER / "README.md").read_text()
    for name, service in (("PostgreSQL", "postgres"), ("HAProxy", "balancer")):
        version = model["services"][service]["image"].partition(":")[2].partition("-")[0]
        assert f"{name} {version}" in readme
    assert model["services"]["s3"]["image"].partition(":")[2] in readme


def test_haproxy_takes_its_settings_without_a_warning(copy: Path, tmp_path: Path) -> None:
    ports = {f"{name}:{port}": 20000 + number for number, (name, port) in enumerate(compose.INNER.items())}
    settings = tmp_path / "haproxy.cfg"
    settings.write_text(compose.balancer_settings(copy, ports))
    shell = Shell(tmp_path, {"PATH": "/usr/sbin:/usr/bin:/bin"})
    assert "WARNING" not in shell.run(find("haproxy"), "-c", "-f", settings, merged=True)


@pytest.fixture
def database() -> Iterator[PostgreSQL]:
    with postgresql() as started:
        started.run("CREATE ROLE mooring LOGIN")
        started.run("CREATE DATABASE mooring OWNER mooring")
        yield started


@pytest.fixture
def services(model: Model, copy: Path, database: PostgreSQL, tmp_path: Path) -> Iterator[Running]:
    with compose.running(model, copy, database, tmp_path) as started:
        yield started


SERVED = re.compile(r'mooring_requests_total{method="\w+",route="(token|uploads|blobs|manifests)",status="20\d"}')


def took_part(services: Running, name: str) -> bool:
    """The requests of one push go to the two in turns: which of them gets an upload is chance."""
    return SERVED.search(services.metrics(name)) is not None


@pytest.mark.clients
@pytest.mark.slow
def test_a_push_meets_both_replicas_and_goes_on_with_one(services: Running, copy: Path, tmp_path: Path) -> None:
    compose.wait(lambda: {services.ready() for _ in range(8)} == set(services.replicas), "the pair", services)
    client = Crane(shell_in(tmp_path / "client", services.address), services.address, find("crane"))
    client.login("admin", compose.settings(copy)["MOORING_ADMIN_PASSWORD"])
    pushed = client.push("library/both", "1", "both")
    assert client.pull("library/both", "1") == pushed
    for name in services.replicas:
        # Its processes hand over what they counted ten times a second.
        compose.wait(partial(took_part, services, name), f"a part of the push at {name}", services)
    assert list((services.directory / "objects" / "images").rglob("*")), "the bytes are in the bucket"

    services.replicas["mooring-1"].send_signal(signal.SIGTERM)
    pushed = client.push("library/one", "1", "one")
    assert client.pull("library/one", "1") == pushed
    assert services.replicas["mooring-1"].wait(75) == 0
    compose.wait(lambda: {services.ready() for _ in range(8)} == {"mooring-2"}, "the one that is left", services)
