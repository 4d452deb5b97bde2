from collections.abc import Iterator

import pytest

from tests.access.people import Stage, set_stage
from tests.http.site import Site


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("stage")
    with pytest.MonkeyPatch.context() as patch, Site(directory / "data") as site:
        patch.setenv("PROMETHEUS_MULTIPROC_DIR", str(directory))
        yield set_stage(site)


@pytest.fixture(scope="module")
def site(stage: Stage) -> Site:
    return stage.site
