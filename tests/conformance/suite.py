"""The conformance suite of the OCI distribution specification, run against a registry."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from tests.programs import REMEDY, ROOT, TOOLS, missing
from tests.server import Registry

SECONDS: Final = 600


@dataclass(frozen=True)
class Result:
    version: str
    passed: int
    failed: int
    errors: int
    skipped: int
    """Switched off as well."""
    complaints: tuple[str, ...]
    """The cases that did not pass, with what the suite says of each."""
    output: str

    def __str__(self) -> str:
        return (
            f"OCI conformance, version {self.version}: {self.passed} passed, {self.failed} failed, "
            f"{self.errors} errors, {self.skipped} skipped"
        )


def program() -> Path:
    """A test without it skips with one line, or fails where tools are required."""
    found = shutil.which("conformance", path=os.pathsep.join([str(TOOLS), os.environ.get("PATH", os.defpath)]))
    if found is None:
        missing(f"conformance is not installed. {REMEDY}GOBIN={TOOLS} go install {package()}")
    return Path(found)


def package() -> str:
    """With the version that the tools are built at."""
    script = (ROOT / "tests" / "tools" / "go.sh").read_text()
    return next(line.split()[1] for line in script.splitlines() if line.startswith("conformance "))


def run(suite: Path, registry: Registry, version: str, directory: Path, **variables: str) -> Result:
    """Everything that the suite enables for a version, with a name and a password."""
    results = directory / "results"
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(directory),
        "OCI_REGISTRY": registry.address,
        "OCI_TLS": "disabled",
        "OCI_USERNAME": registry.username,
        "OCI_PASSWORD": registry.password,
        "OCI_VERSION": version,
        "OCI_RESULTS_DIR": str(results),
        **variables,
    }
    done = subprocess.run(
        [suite], cwd=directory, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    output = done.stdout + done.stderr
    report = results / "junit.xml"
    assert report.exists(), f"exited with {done.returncode} and left no report\n{output[-4000:]}"
    result = read(report, version, output)
    assert (done.returncode == 0) == (result.failed + result.errors == 0), output[-4000:]
    return result


def read(report: Path, version: str, output: str) -> Result:
    (whole,) = ET.parse(report).iter("testsuite")
    tests, failed, errors, skipped, disabled = (
        int(whole.get(name, "0")) for name in ("tests", "failures", "errors", "skipped", "disabled")
    )
    bad = [case for case in whole.iter("testcase") if case.get("status") != "passed"]
    return Result(
        version=version,
        passed=tests - failed - errors - skipped - disabled,
        failed=failed,
        errors=errors,
        skipped=skipped + disabled,
        complaints=tuple(map(complaint, bad)),
        output=output,
    )


def complaint(case: ET.Element) -> str:
    said = [f"{part.tag}: {(part.text or '').strip()[-1500:]}" for part in case]
    return "\n".join([f"{case.get('name')}: {case.get('status')}", *said])
