"""What docker says when the registry's disk fills up under a push: what went wrong, and not `broken pipe`."""

import tempfile
from pathlib import Path

import pytest

from tests import server as servers
from tests.clients import engine
from tests.clients.client import shell_in
from tests.clients.docker import Docker
from tests.disks import small_disk
from tests.images import build_image
from tests.programs import Refused

MIB = 1024 * 1024

pytestmark = [pytest.mark.clients, pytest.mark.faults, pytest.mark.replicas]


def test_docker_shows_why(tmp_path: Path) -> None:
    with (
        engine.running() as started,
        tempfile.TemporaryDirectory(prefix="mooring-") as home,
        small_disk(tmp_path / "data", 40 * MIB) as data,
    ):
        server = servers.start(data, workers=1)
        try:
            docker = Docker(shell_in(Path(home), server.address), server.address, started)
            docker.login(server.username, server.password)
            image = build_image(docker.shell.home / "large", "large", layers=1, size=100 * MIB)
            with pytest.raises(Refused, match="507 Insufficient Storage"):
                docker.push_image(image, "library/large", "1")
            docker.push("library/small", "1", "small")
            assert server.stop() == 0
        finally:
            server.kill()
