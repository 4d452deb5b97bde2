"""Nothing failed, nothing skipped: the OCI conformance suite with authentication on and everything enabled."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.api import unique
from tests.conformance.conftest import PROPERTY
from tests.conformance.suite import run
from tests.server import Registry

LEAST = {"dev": 986, "1.1": 980}
"""Fewer cases would mean that something was switched off."""

SINCE = {
    "OCI_API_BLOBS_UPLOAD_CANCEL": "true",
    "OCI_API_BLOBS_DIGEST_HEADER": "true",
    "OCI_API_MANIFESTS_DIGEST_HEADER": "true",
    "OCI_API_MANIFESTS_TAG_PARAM": "true",
}
"""What came after 1.1 and is off with that version: a case of it is then skipped, or not there."""


@pytest.mark.conformance
@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", ["dev", "1.1"])
def test_conformance(
    suite: Path,
    registry: Registry,
    tmp_path: Path,
    version: str,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> None:
    repositories = {f"OCI_REPO{number}": f"{unique('library/conformance')}-{number}" for number in (1, 2)}
    result = run(suite, registry, version, tmp_path, **SINCE, **repositories)
    record_property(PROPERTY, f"{result} ({request.node.callspec.params['registry']})")
    print(result.output)
    assert (result.failed, result.errors, result.skipped) == (0, 0, 0), "\n\n".join(result.complaints)
    assert result.complaints == ()
    assert result.passed >= LEAST[version]
