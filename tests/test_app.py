"""How a process ends."""

from pathlib import Path

import pytest

from mooring.app import lifespan
from mooring.database import Database
from mooring.errors import Unavailable
from mooring.observe.denials import log
from tests.http.site import Site


def test_pulls_that_can_not_be_written_at_the_end_take_no_refusals_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A push that is still under way may hold the row that pulls are counted on."""

    async def busy(_database: Database) -> None:
        raise Unavailable

    with Site(tmp_path) as site:
        monkeypatch.setattr(site.parts.registry.pulls, "flush", busy)

        async def serve() -> str:
            async with lifespan(site.parts, None):
                # Nothing is awaited after it: what is written is written by the end.
                reply = await site.asking("POST", "/v2/library/app/blobs/uploads/")
            return str(reply.error["detail"]["request_id"])

        request_id = site.run(serve())
        assert len(site.read(log.of_request, request_id)) == 1
