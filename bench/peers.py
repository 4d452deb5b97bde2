"""What Mooring is measured beside: other registries as they come, and a server of files that no registry can beat."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.places import place
from bench.registries import ROOT, Missing, Registry, free_port, mooring, started, version_of, wait_for

DISTRIBUTION = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  cache: {{blobdescriptor: inmemory}}
  filesystem: {{rootdirectory: {data}}}
  delete: {{enabled: true}}
http: {{addr: "127.0.0.1:{port}"}}
"""

NGINX = """\
daemon off;
pid {directory}/pid;
error_log {directory}/errors crit;
worker_processes auto;
events {{}}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  client_body_temp_path {directory}/bodies;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server {{ listen 127.0.0.1:{port}; root {directory}/files; }}
}}
"""

Starter = Callable[[Path, ExitStack], Registry]


def distribution_2(directory: Path, running: ExitStack) -> Registry:
    program = shutil.which("docker-registry")
    if not program:
        raise Missing("apt-get install docker-registry (its service is not needed)")
    return _distribution("distribution 2.8", program, directory, running)


def distribution_3(directory: Path, running: ExitStack) -> Registry:
    return _distribution(
        "distribution v3", str(_built("distribution", "install Go, then `make tools`")), directory, running
    )


def zot(name: str, syncing: bool, directory: Path, running: ExitStack) -> Registry:
    """`syncing` has it sync blobs, manifests and its index before it answers, which it does not as it comes."""
    program, port = _built("zot", "build zot's `make binary-minimal`, and put it into .tools/bin as zot"), free_port()
    config = directory / "config.json"
    config.write_text(
        json.dumps(
            {
                "distSpecVersion": "1.1.1",
                "storage": {"rootDirectory": str(directory / "data"), "commit": syncing},
                "http": {"address": "127.0.0.1", "port": str(port)},
                "log": {"level": "error"},
            }
        )
    )
    process = running.enter_context(started([str(program), "serve", str(config)], directory, {}))
    found = re.search(rb"mod\tzotregistry\.dev/zot/v2\t(v[\w.-]+)", program.read_bytes())
    version = found[1].decode() if found else "unknown"
    registry = Registry(name, version, ("127.0.0.1", port), pid=process.pid, acts_like="zot" if syncing else "")
    wait_for(registry, "/v2/", process, directory)
    return registry


def nginx(directory: Path, running: ExitStack) -> Registry:
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if not program:
        raise Missing("apt-get install nginx-light (its service is not needed)")
    port, files, config = free_port(), directory / "files", directory / "nginx.conf"
    files.mkdir()
    # Its processes run as another user when root starts them.
    for folder in (directory.parent, directory, files):
        folder.chmod(0o755)
    (files / "index.html").write_text("ready\n")
    config.write_text(NGINX.format(directory=directory, port=port))
    process = running.enter_context(started([program, "-e", "stderr", "-c", str(config)], directory, {}))
    told = subprocess.run([program, "-v"], stderr=subprocess.PIPE, text=True, timeout=60, check=True).stderr
    version = told.split("/")[-1].strip()
    registry = Registry("nginx", version, ("127.0.0.1", port), pid=process.pid, files=files)
    wait_for(registry, "/", process, directory)
    return registry


def mooring_on(name: str, kind: str, directory: Path, running: ExitStack) -> Registry:
    where = running.enter_context(place(kind, directory))
    return replace(mooring(directory, running, where.settings), name=name)


STARTED: dict[str, Starter] = {
    "Mooring": mooring,
    "distribution 2.8": distribution_2,
    "distribution v3": distribution_3,
    "zot": partial(zot, "zot", False),
    "zot, syncing": partial(zot, "zot, syncing", True),
    "nginx": nginx,
}

SHARED: dict[str, Starter] = {
    "Mooring, PostgreSQL and S3": partial(mooring_on, "Mooring, PostgreSQL and S3", "shared"),
    "Mooring, embedded": partial(mooring_on, "Mooring, embedded", "embedded"),
}
"""The same table where the round trip to the database is the limit."""


def _built(name: str, remedy: str) -> Path:
    """From the project's tools, or where the shell finds it. Raises Missing with the remedy."""
    tools = Path(os.environ.get("MOORING_TOOLS") or ROOT / ".tools")
    found = tools / "bin" / name
    if not found.exists():
        found = Path(shutil.which(name) or found)
    if not found.exists():
        raise Missing(remedy)
    return found


def _distribution(name: str, program: str, directory: Path, running: ExitStack) -> Registry:
    port = free_port()
    config = directory / "config.yml"
    config.write_text(DISTRIBUTION.format(data=directory / "data", port=port))
    process = running.enter_context(started([program, "serve", str(config)], directory, {}))
    registry = Registry(name, version_of(program, "--version"), ("127.0.0.1", port), pid=process.pid)
    wait_for(registry, "/v2/", process, directory)
    return registry
