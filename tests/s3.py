"""Real servers that speak S3: OpenStack Swift and versitygw, each in a temporary directory on free ports."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from botocore.config import Config
from botocore.session import get_session

from tests import programs
from tests.server import HOST, free_port

REGION: Final = "us-east-1"
SWIFT: Final = programs.TOOLS.parent / "swift" / "bin"
BACKENDS: Final = ("account", "container", "object")

PROXY_FILTERS: Final = {
    "catch_errors": "",
    "gatekeeper": "",
    "healthcheck": "",
    "cache": "memcache_servers = 127.0.0.1:1",
    "s3api": "location = us-east-1\ndns_compliant_bucket_names = no",
    "tempauth": "user_registry_keeper = harbour .admin",
    "bulk": "",
    "slo": "",
    "dlo": "",
    "copy": "",
}
"""The stages that a request passes, in their order; `use` is added to each."""


RINGS: Final = f"""
import sys
from swift.common.ring import RingBuilder

for path, port in zip(sys.argv[1::2], sys.argv[2::2]):
    ring = RingBuilder(part_power=2, replicas=1, min_part_hours=0)
    place = dict(ip="{HOST}", port=int(port), replication_ip="{HOST}", replication_port=int(port))
    ring.add_dev(dict(place, region=1, zone=1, device="disk", weight=1.0, meta=""))
    ring.rebalance()
    ring.get_ring().save(path)
"""


@dataclass
class S3:
    """`access` and `secret` are its only account's."""

    endpoint: str
    access: str
    secret: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> Mapping[str, str]:
        return {"AWS_ACCESS_KEY_ID": self.access, "AWS_SECRET_ACCESS_KEY": self.secret}

    def url(self, bucket: str, prefix: str = "registry") -> str:
        """As MOORING_STORE names it."""
        return f"s3://{bucket}/{prefix}?endpoint={self.endpoint}&region={REGION}"

    def create(self) -> str:
        """A new bucket; its name."""
        name = f"t{uuid.uuid4().hex[:16]}"
        client = get_session().create_client(
            "s3",
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access,
            aws_secret_access_key=self.secret,
            config=Config(s3={"addressing_style": "path"}),
        )
        client.create_bucket(Bucket=name)
        return name

    def pause(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def swift() -> Iterator[S3]:
    """Skips, with a line that says how to get it, where Swift is not set up."""
    if not (SWIFT / "swift-proxy-server").exists():
        programs.missing("Swift is not set up. To get it: make tools (tests/tools/swift.sh)")
    with _directory("mooring-swift-") as directory:
        ports = {name: free_port() for name in (*BACKENDS, "proxy")}
        _configure_swift(directory, ports)
        commands: dict[str, list[str | Path]] = {
            name: [SWIFT / f"swift-{name}-server", directory / f"{name}-server.conf"] for name in ports
        }
        endpoint = f"http://{HOST}:{ports['proxy']}"
        with _running(directory, commands, f"{endpoint}/healthcheck") as processes:
            yield S3(endpoint, "registry:keeper", "harbour", processes)


@contextlib.contextmanager
def versitygw() -> Iterator[S3]:
    """Skips, with a line that says how to get it, where versitygw is not built."""
    program = programs.find("versitygw")
    with _directory("mooring-versitygw-") as directory:
        (directory / "data").mkdir()
        address = f"{HOST}:{free_port()}"
        options = ["--access", "keeper", "--secret", "harbour-master", "--region", REGION, "--port", address]
        # As other stores do it. By default it ends each connection with its first answer.
        options += ["--keep-alive", "--quiet", "--health", "/health"]
        command: list[str | Path] = [program, *options, "posix", directory / "data"]
        with _running(directory, {"versitygw": command}, f"http://{address}/health") as processes:
            yield S3(f"http://{address}", "keeper", "harbour-master", processes)


def either() -> contextlib.AbstractContextManager[S3]:
    """versitygw where it is built, Swift else."""
    return versitygw() if programs.locate("versitygw") else swift()


def _configure_swift(directory: Path, ports: Mapping[str, int]) -> None:
    """One device, one replica of everything: Swift as small as it gets."""
    (directory / "devices" / "disk").mkdir(parents=True)
    (directory / "swift.conf").write_text(
        "[swift-hash]\nswift_hash_path_suffix = tests\n[storage-policy:0]\nname = only\ndefault = yes\n"
    )
    rings = [word for name in BACKENDS for word in (str(directory / f"{name}.ring.gz"), str(ports[name]))]
    subprocess.run([SWIFT / "python", "-c", RINGS, *rings], check=True, cwd=directory)
    for name in BACKENDS:
        (directory / f"{name}-server.conf").write_text(
            _default(directory, ports[name])
            + f"devices = {directory / 'devices'}\nmount_check = false\ndisable_fallocate = true\n"
            + f"[pipeline:main]\npipeline = {name}-server\n[app:{name}-server]\nuse = egg:swift#{name}\n"
        )
    stages = "".join(
        f"[filter:{name}]\nuse = egg:swift#{'memcache' if name == 'cache' else name}\n{settings}\n"
        for name, settings in PROXY_FILTERS.items()
    )
    (directory / "proxy-server.conf").write_text(
        _default(directory, ports["proxy"])
        + f"[pipeline:main]\npipeline = {' '.join(PROXY_FILTERS)} proxy-server\n"
        + "[app:proxy-server]\nuse = egg:swift#proxy\nallow_account_management = true\naccount_autocreate = true\n"
        + stages
    )


def _default(directory: Path, port: int) -> str:
    user = "root" if os.geteuid() == 0 else os.environ.get("USER", "nobody")
    return (
        f"[DEFAULT]\nbind_ip = {HOST}\nbind_port = {port}\nworkers = 0\nuser = {user}\n"
        f"swift_dir = {directory}\nlog_address = {directory / 'no-syslog'}\n"
    )


@contextlib.contextmanager
def _directory(prefix: str) -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _running(
    directory: Path, commands: Mapping[str, Sequence[str | Path]], health: str
) -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for name, command in commands.items():
            with (directory / f"{name}.log").open("wb") as log:
                processes.append(
                    subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory)
                )
        _wait(health, processes, [directory / f"{name}.log" for name in commands])
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _wait(health: str, processes: Sequence[subprocess.Popen[bytes]], logs: Sequence[Path], seconds: float = 30) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + seconds
    while True:
        try:
            with direct.open(health, timeout=2):
                return
        except (OSError, urllib.error.URLError):
            ended = [process.args for process in processes if process.poll() is not None]
            if ended or time.monotonic() > end:
                texts = "\n".join(log.read_text(errors="replace")[-1500:] for log in logs)
                raise AssertionError(f"the S3 server did not start; ended: {ended}\n{texts}") from None
            time.sleep(0.05)
