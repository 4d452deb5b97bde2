"""Nothing failed, nothing skipped: the OCI conformance suite with authentication on and everything enabled."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.conftest import PROPERTY
from tests.conformance.suite import run, suite
from tests.conftest import StartServer

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
    start_server: StartServer, tmp_path: Path, version: str, record_property: Callable[[str, object], None]
) -> None:
    suite()  # before a server is started for nothing
    result = run(start_server(), version, tmp_path, **SINCE)
    record_property(PROPERTY, str(result))
    print(result.output)
    assert (result.failed, result.errors, result.skipped) == (0, 0, 0), "\n\n".join(result.complaints)
    assert result.complaints == ()
    assert result.passed >= LEAST[version]
