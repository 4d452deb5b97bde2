"""The templates for other people's CI: what they run is run, against a real registry."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.api import Api
from tests.deploy.charts import render
from tests.programs import ROOT
from tests.server import Server, inherited

CI: Final = ROOT / "deploy" / "ci"
IMAGE: Final = "registry.example/mooring:1"
SHIM: Final = """#!/bin/sh
# In the place of docker, whose part here is no more than to start a program: checks what it is given, and starts it.
set -eu
while [ "$1" != "$MOORING_IMAGE" ]; do
    case "$1" in
        run | --rm) shift ;;
        --env) passed="${passed:-} $2" && shift 2 ;;
        *) echo "docker is not called like this: $1" >&2 && exit 125 ;;
    esac
done
shift
[ "$passed" = " MOORING_PROBE_USERNAME MOORING_PROBE_PASSWORD" ] || exit 125
exec mooring "$@"
"""


def github() -> str:
    document: dict[Any, Any] = yaml.safe_load((CI / "github-actions.yaml").read_text())
    # YAML 1.1 takes the word `on` for true.
    assert set(document) == {"name", True, "permissions", "concurrency", "jobs"}
    assert set(document[True]) == {"schedule", "workflow_dispatch"}
    (job,) = document["jobs"].values()
    probing, keeping = job["steps"]
    assert keeping["with"]["path"] == "probe.xml"
    named = set(re.findall(r"\$(\w+)", probing["run"]))
    assert named <= set(probing["env"])
    return str(probing["run"])


def gitlab() -> str:
    document: dict[str, Any] = yaml.safe_load((CI / "gitlab-ci.yml").read_text())
    (job,) = document.values()
    assert job["artifacts"]["reports"]["junit"] == "probe.xml"
    assert job["image"]["entrypoint"] == [""], "the image's own would be given GitLab's script"
    return "\n".join(job["script"])


def jenkins() -> str:
    text = (CI / "Jenkinsfile").read_text()
    for opening, closing in ("{}", "[]", "()"):
        assert text.count(opening) == text.count(closing)
    assert "junit 'probe.xml'" in text
    (script,) = re.findall(r"sh '''(.*?)'''", text, re.DOTALL)
    declared = set(re.findall(r"(?:name|\w+Variable): '(\w+)'", text))
    assert set(re.findall(r"\$(\w+)", script)) <= declared
    parameters = re.findall(r"string\((.*)\)", text)
    assert all("defaultValue: '" in each for each in parameters), "a run by the timer has nothing else"
    # In Groovy's own quotes a backslash is one only if it is written twice; at a line's end it joins the two.
    return str(script)


def cron_job() -> str:
    (item,) = [each for each in render("full") if each["kind"] == "CronJob"]
    pod = item["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    words = container["args"]
    words[1] = "$REGISTRY_URL"
    words[words.index("--repository") + 1] = "$REGISTRY_REPOSITORY"
    quoted = [f'"{word}"' if word.startswith("$") else shlex.quote(word) for word in words]
    return f"mooring {' '.join(quoted)} --output junit > probe.xml"


@pytest.fixture
def environment(server: Server, tmp_path: Path) -> Mapping[str, str]:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "docker").write_text(SHIM)
    (programs / "mooring").write_text(f'#!/bin/sh\nexec {sys.executable} -m mooring "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    return {
        **inherited(),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "MOORING_IMAGE": IMAGE,
        "REGISTRY_URL": server.url,
        "MOORING_PROBE_USERNAME": server.username,
        "MOORING_PROBE_PASSWORD": server.password,
    }


def run(script: str, environment: Mapping[str, str], directory: Path, repository: str) -> "Ran":
    done = subprocess.run(
        ["sh", "-eu", "-c", script],
        cwd=directory,
        env={**environment, "REGISTRY_REPOSITORY": repository},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Ran(done.returncode, (directory / "probe.xml").read_text(), done.stderr)


class Ran:
    def __init__(self, code: int, report: str, said: str) -> None:
        self.code, self.report, self.said = code, report, said


@pytest.mark.replicas
@pytest.mark.parametrize("template", [github, gitlab, jenkins, cron_job])
def test_what_a_template_runs_pushes_and_reports(
    template: Any, environment: Mapping[str, str], tmp_path: Path, admin: Api
) -> None:
    project = admin.create_project("ci")
    script = template()
    good = run(script, environment, tmp_path, f"{project}/probe")
    assert good.code == 0, good.said
    suite = ET.fromstring(good.report)
    assert int(suite.get("tests", "0")) >= 1
    assert suite.get("failures") == "0"
    bad = run(script, environment, tmp_path, "no-such-project/probe")
    assert bad.code == 1, bad.said
    assert ET.fromstring(bad.report).get("failures") != "0"
    assert environment["MOORING_PROBE_PASSWORD"] not in script + good.said + bad.said


def test_the_page_names_every_template() -> None:
    page = (CI / "README.md").read_text()
    for path in CI.iterdir():
        assert path.name == "README.md" or f"({path.name})" in page
