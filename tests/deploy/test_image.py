"""The image, built by buildah on a base of Debian's, and run by podman with the rights that the chart gives it."""

import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.programs import REMEDY, ROOT, TOOLS, Refused, Shell, find, missing
from tests.server import HOST, free_port

pytestmark = pytest.mark.image

BASE: Final = TOOLS.parent / "debian-python.tar"
AUTHORITIES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
NAME: Final = "localhost/mooring:test"
LARGEST_MIB: Final = 260
LEAST_RIGHTS: Final = (
    *("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/tmp"),
    # Podman's own would be more than some machines allow.
    *("--ulimit=nofile=4096:4096", "--ulimit=nproc=1024:1024"),
)


@dataclass(frozen=True)
class Image:
    shell: Shell
    storage: tuple[str, ...]

    def run(self, *command: str, entrypoint: str | None = None, user: str | None = None) -> str:
        chosen = [] if entrypoint is None else [f"--entrypoint={entrypoint}"]
        chosen += [] if user is None else [f"--user={user}"]
        return self.podman("run", "--rm", *LEAST_RIGHTS, "--network=none", *chosen, NAME, *command)

    def podman(self, *arguments: str) -> str:
        return self.shell.run(find("podman"), *self.storage, "--cgroup-manager=cgroupfs", *arguments)

    def inspected(self) -> Any:
        return json.loads(self.podman("image", "inspect", NAME))[0]


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    if not BASE.exists():
        missing(f"There is no base to build the image on. {REMEDY}make image (tests/deploy/base.sh, which needs root)")
    home = Path(tempfile.mkdtemp(prefix="mooring-image-"))
    shell = Shell(home, {"PATH": os.environ["PATH"], "HOME": str(home), "BUILDAH_ISOLATION": "chroot"})
    storage = ("--root", str(home / "storage"), "--runroot", str(home / "run"))
    try:
        build(shell, storage, home)
        yield Image(shell, storage)
    finally:
        subprocess.run(["umount", "--recursive", "--quiet", home / "storage" / "overlay"], check=False)
        shutil.rmtree(home, ignore_errors=True)


def build(shell: Shell, storage: tuple[str, ...], home: Path) -> None:
    buildah: tuple[str | Path, ...] = (find("buildah"), *storage, "build-using-dockerfile", "--pull-never")
    context = home / "base"
    context.mkdir()
    shutil.copy(BASE, context)
    lines = ["FROM scratch", f"ADD {BASE.name} /"]
    if AUTHORITIES.exists():
        # What this machine trusts, the build has to: it may reach its packages through a proxy with a certificate.
        shutil.copy(AUTHORITIES, context)
        lines += [f"COPY {AUTHORITIES.name} {AUTHORITIES}", f"ENV PIP_CERT={AUTHORITIES} SSL_CERT_FILE={AUTHORITIES}"]
    (context / "Dockerfile").write_text("\n".join(lines))
    shell.run(*buildah, "--tag=localhost/python", context, timeout=300)
    given = ("--build-arg=PYTHON_IMAGE=localhost/python", "--build-arg=REVISION=0123abc")
    shell.run(*buildah, *given, f"--tag={NAME}", ROOT, timeout=900)


def test_it_says_what_it_is_and_how_it_starts(image: Image) -> None:
    from mooring import __version__

    found = image.inspected()
    assert found["Config"]["User"] == "10001:10001"
    assert found["Config"]["Entrypoint"] == ["mooring"]
    assert found["Config"]["Cmd"] == ["serve"]
    assert "Healthcheck" not in found["Config"]
    assert found["Labels"]["org.opencontainers.image.version"] == __version__
    assert found["Labels"]["org.opencontainers.image.revision"] == "0123abc"


def test_it_runs_this_version(image: Image) -> None:
    from mooring import __version__

    assert image.run("version").strip() == __version__


def test_it_has_what_the_charts_jobs_and_hooks_call(image: Image) -> None:
    image.run("0", entrypoint="sleep")
    assert image.run("-I", "-c", "import ssl, urllib.request; print('ok')", entrypoint="python3").strip() == "ok"


def test_nothing_but_its_data_can_be_written(image: Image) -> None:
    script = "for place in / /opt/mooring /opt/mooring/bin /etc /usr/bin /var/lib/mooring /tmp; do "
    script += 'if touch "$place/written" 2>/dev/null; then echo "$place"; fi; done; id -u'
    assert image.run("-c", script, entrypoint="sh").split() == ["/var/lib/mooring", "/tmp", "10001"]


def test_none_of_its_files_is_the_users_or_has_more_rights(image: Image) -> None:
    found = image.run(
        *("/opt/mooring", "(", "-user", "10001", "-o", "-perm", "/7022", ")", "!", "-type", "l"), entrypoint="find"
    )
    assert found == ""


def test_nothing_is_left_that_only_building_needs(image: Image) -> None:
    left = ("/source", "/installer", "*/hatchling", "/opt/*/pip", "/opt/*/.lock", "*/.cache/*", "/tmp/*")
    names = [word for path in left for word in ("-o", "-path", path)][1:]
    assert image.run("/", "-xdev", "(", *names, ")", entrypoint="find", user="0:0") == ""


def test_it_is_compiled_since_nothing_can_be_at_run_time(image: Image) -> None:
    script = "import mooring.app, pathlib; print(mooring.app.__cached__, pathlib.Path(mooring.app.__cached__).exists())"
    assert image.run("-c", script, entrypoint="python3").split()[1] == "True"


def test_it_adds_little_to_its_base(image: Image) -> None:
    sizes = {item["Names"][0]: item["Size"] for item in json.loads(image.podman("images", "--format=json"))}
    base = next(size for name, size in sizes.items() if "python" in name)
    added = (sizes[NAME] - base) / 2**20
    assert added < LARGEST_MIB, f"{added:.0f} MiB"


def test_it_serves_and_stops_when_asked(image: Image) -> None:
    port = free_port()
    settings = {"MOORING_HOST": HOST, "MOORING_PORT": str(port), "MOORING_WORKERS": "1"}
    environment = [f"--env={name}={value}" for name, value in settings.items()]
    name = f"mooring-{port}"
    image.podman("run", "--detach", "--name", name, *LEAST_RIGHTS, "--network=host", *environment, NAME)
    try:
        end = time.monotonic() + 60
        while not ready(port):
            assert time.monotonic() < end, image.podman("logs", name)
            time.sleep(0.1)
        started = time.monotonic()
        image.podman("stop", "--time=30", name)
        assert time.monotonic() - started < 25
        assert image.podman("inspect", "--format={{.State.ExitCode}}", name).strip() == "0"
    finally:
        image.podman("rm", "--force", "--volumes", name)


def test_a_wrong_setting_ends_it_with_a_sentence(image: Image) -> None:
    with pytest.raises(Refused, match="port: Input should be less than or equal to 65535"):
        image.run("serve", "--port=99999")


def ready(port: int) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            f"http://{HOST}:{port}/readyz", timeout=5
        ) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
