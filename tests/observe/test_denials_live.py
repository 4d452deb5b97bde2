"""The denial log of a real server: no refusal's count is lost, by whatever its processes go through."""

import http.client
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from pysqlite3 import dbapi2 as sqlite

from tests.api import Api
from tests.conftest import StartServer
from tests.observe.shown import shown
from tests.server import Server
from tests.workers import wait_for

pytestmark = pytest.mark.replicas

WORKERS, CONNECTIONS, EACH = 2, 4, 60
NUMBER = CONNECTIONS * EACH
SAMPLES = 20
PUSH = "/v2/team/app/blobs/uploads/"


def flood(server: Server) -> Counter[int]:
    """Refuse pushes with a token that is none; answers how often which status came."""

    def one(_number: int) -> list[int]:
        with closing(http.client.HTTPConnection(server.host, server.port, timeout=30)) as line:
            return [ask(line) for _ in range(EACH)]

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return Counter(status for statuses in pool.map(one, range(CONNECTIONS)) for status in statuses)


def ask(line: http.client.HTTPConnection) -> int:
    line.request("POST", PUSH, headers={"Authorization": "Bearer none"})
    answer = line.getresponse()
    answer.read()
    return answer.status


def kept(data: Path) -> tuple[int, int]:
    """How many refusals are in the log, and in how many rows."""
    with closing(sqlite.connect(data / "mooring.db", timeout=30)) as database:
        total, rows = database.execute(
            "SELECT coalesce(sum(occurrences), 0), count(*) FROM denials WHERE reason = 'malformed'"
        ).fetchone()
    return int(total), int(rows)


def counted(server: Server) -> float:
    metrics = shown(Api(server.url, "", "").request("GET", "/metrics").body)
    return metrics.sum("mooring_refusals_total", reason="malformed")


def test_every_refusal_of_a_flood_is_counted_once(start_server: StartServer) -> None:
    server = start_server(workers=WORKERS)
    assert flood(server) == {401: NUMBER}
    assert counted(server) == NUMBER
    wait_for(lambda: kept(server.data)[0] == NUMBER, "all are written")
    server.kill()
    total, rows = kept(server.data)
    assert total == NUMBER, "a kill takes nothing back"
    # A window may have ended meanwhile.
    assert rows <= 2 * WORKERS * (SAMPLES + 1)

    again = start_server(server.data, workers=WORKERS)
    with closing(sqlite.connect(server.data / "mooring.db", isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        # Nobody can write now: had a refusal waited for the log, this would not end.
        assert flood(again) == {401: NUMBER}
        other.execute("ROLLBACK")
    assert counted(again) == NUMBER
    assert again.stop() == 0
    assert kept(server.data)[0] == 2 * NUMBER, "what waited is written at an ordered stop"
