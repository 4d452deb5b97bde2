"""Harbor's query language: whatever is asked of any list, the answer is a page or says what is wrong."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.http.site import Site
from tests.management.desk import Desk, chief
from tests.management.pushing import push_image

LISTS: Final = (
    "/users",
    "/projects",
    "/robots",
    "/repositories",
    "/projects/library/robots",
    "/projects/library/repositories",
    "/projects/library/repositories/app/artifacts",
    "/projects/library/repositories/app/artifacts/v1/tags",
    "/projects/library/repositories/app/artifacts/v1/accessories",
)
KEYS: Final = [
    "name",
    "username",
    "email",
    "id",
    "ProjectID",
    "project_id",
    "public",
    "owner",
    "level",
    "Level",
    "disable",
    "duration",
    "creation_time",
    "update_time",
    "pull_count",
    "tags",
    "type",
    "base",
    "digest",
    "size",
    "push_time",
    "pull_time",
    "media_type",
]
VALUES: Final = st.one_of(
    st.text(max_size=20),
    st.integers().map(str),
    st.datetimes().map(str),
    st.sampled_from(
        ["*", "nil", "true", "false", "~", "~a", "[1~2]", "[~]", "{a b}", "(a b)", "\\~a", "'", "%", "_%", "IMAGE"]
    ),
    st.tuples(st.text(max_size=5), st.text(max_size=5)).map("[{0[0]}~{0[1]}]".format),
)
TESTS: Final = st.lists(st.tuples(st.sampled_from(KEYS) | st.text(max_size=10), VALUES), max_size=3)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with Site(tmp_path_factory.mktemp("queries") / "data") as site:
        push_image(chief(site).send, "library/app", "v1")
        yield chief(site)


@given(path=st.sampled_from(LISTS), tests=TESTS, sort=st.sampled_from([*KEYS, "-name", "-", ",", "x"]))
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
def test_queries(desk: Desk, path: str, tests: list[tuple[str, str]], sort: str) -> None:
    q = ",".join(f"{key}={value}" for key, value in tests)
    reply = desk.ask("GET", path, query=f"q={quote(q, safe='')}&sort={quote(sort)}")
    assert reply.status in {200, 400}, (q, sort, reply)
    if reply.status == 200:
        assert len(reply.json) <= int(reply.header("x-total-count") or -1)
