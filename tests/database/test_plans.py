"""No statement on a hot path reads a whole table or sorts more than a page, on either database.

Asked of a registry that holds enough for a planner to have a choice.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import pytest
from sqlalchemy import Connection, Engine, text

from bench.content import CONFIG_TYPE, LAYER_TYPE, MANIFEST_TYPE, digest_of
from bench.loader import load, project
from bench.population import LARGE, Size, batches, configuration, name_of, tag_of
from mooring.cluster.clock import SECOND
from mooring.database.postgresql import PostgreSQL
from mooring.database.sqlite import SQLite
from mooring.projects import standing
from mooring.registry import collection, reviews
from mooring.registry.backlog import backlogs
from tests import postgresql as servers
from tests.database.plans import Fault, Recording, Statement, faults, listen, listen_to_single_ones, without_index
from tests.http.site import ADMIN_PASSWORD, Headers, Reply, Site, basic, bearer


class Lopsided(Size):
    """Half of all is in one repository: a list of it can't be read whole for a page and pass unseen."""

    @property
    def large(self) -> int:
        return self.manifests // 2


SIZE: Final = Lopsided(20_000, 2_000)
FEW: Final = name_of(100)
ARTIFACTS: Final = "/api/v2.0/projects/library/repositories/large/artifacts"
KEY: Final = "bW9vcmluZyBtb29yaW5nIG1vb3JpbmcgbW9vcmluZyE="

SMALL: Final = {
    "access_epoch": "one row",
    "projects": "people make them one by one, and most of them may be public",
}
"""Tables that may be read whole, and why they stay small."""

COUNTS: Final = {
    "SELECT count(*) AS count_1 \nFROM repositories": "a list of the API tells how long it is",
    "SELECT (SELECT count(*)": "a list of the API tells how long it is",
    "SELECT ((SELECT count(*)": "a list of the API tells how long it is",
    "SELECT repositories.id, repositories.project_id": "each repository is told with the number of its artifacts",
    "SELECT count(*) AS count_1, min(anon_1.at)": "what is due is counted as far as a limit",
}
ALLOWED: Final = {
    **{(kind, beginning): why for kind in ("scan", "read") for beginning, why in COUNTS.items()},
    ("sort", "SELECT anon_1.id"): "tags and accessories of the artifacts of one page",
}
"""Faults that statements which begin so may have, and why."""

FURTHER: Final = """
INSERT INTO users (username, password_hash, realname, comment, system_admin, disabled, created_at, updated_at)
    SELECT 'user-' || n, '-', '', '', false, false, n, n FROM n WHERE n <= 2000;
INSERT INTO projects (name, public, owner_name, metadata, created_at, updated_at)
    SELECT 'project-' || n, false, '', '{}', n, n FROM n WHERE n <= 2000;
INSERT INTO repositories (project_id, name, description, pull_count, created_at, updated_at)
    SELECT p.id, p.name || '/app-' || n, '', 0, {now} + n, {now}
    FROM n JOIN projects p ON p.name = 'project-' || (1 + n % 2000);
INSERT INTO members (project_id, user_id, role_id, created_at, updated_at)
    SELECT p.id, u.id, 2, 1, 1 FROM users u JOIN projects p ON p.name = 'project-' || substr(u.username, 6);
INSERT INTO uploads (id, repository_id, subject, algorithm, size, state, reserved, created_at, touched_at)
    SELECT 'idle-' || n, 1 + n % 200, 'user:1', 'sha256', 0, '', 0, {now}, {now} + 100000 * n FROM n;
INSERT INTO blob_reviews (repository_id, digest, due_at)
    SELECT repository_id, digest, {now} + 100000 * repository_id FROM repository_blobs;
INSERT INTO manifest_references (manifest_id, digest, repository_id, kind, required)
    SELECT m.id, part.digest, m.repository_id, 'manifest', false
    FROM manifests m JOIN manifests part ON part.id = m.id + 1 WHERE m.id < 15000;
UPDATE manifests SET subject = digest WHERE id BETWEEN 19000 AND 19100;
INSERT INTO object_removals (object_key, due_at) SELECT 'removed-' || n, {now} + 100000 * n FROM n;
INSERT INTO audit_log (at, project_id, username, operation, resource_type, resource, description)
    SELECT n, 1 + n % 50, 'user-1', 'create', 'artifact', 'library/app', '' FROM n;
INSERT INTO denials (id, at, last_at, occurrences, request_id, reason, status, method, path, subject, project,
        repository, action, client, user_agent, replica, sentence, facts)
    SELECT 'd' || (100000 + n), n, n, 1, 'r' || n, 'reason-' || (n % 20), 403, 'GET', '/', 'user-' || (n % 100),
        'project-' || (n % 100), 'library/app', 'pull', '', '', 'replica-' || (n % 5), '', '{}' FROM n;
"""
"""What else grows, in both databases' words. Of what has its time, some is due."""


def fill(site: Site) -> None:
    load(site.parts.database, batches(SIZE, site.read(project), site.now))
    site.write(_add_further, site.now - 20 * SECOND)


def _add_further(connection: Connection, now: int) -> None:
    numbers = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000) INSERT"
    for statement in FURTHER.replace("INSERT", numbers).replace("{now}", str(now)).strip().split(";")[:-1]:
        connection.execute(text(statement))
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("ANALYZE")


class Client:
    """Who may do everything, by a token as a client of the registry has it, and by password for the API."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.admin = basic("admin", ADMIN_PASSWORD)
        scopes = [f"repository:{name}:pull,push,delete" for name in (FEW, LARGE)]
        self.bearer = bearer(site.token(scopes, [self.admin]))

    def ask(self, status: int, method: str, path: str, body: bytes = b"", kind: str = "", query: str = "") -> Reply:
        who = self.admin if path.startswith("/api/") or path == "/v2/_catalog" else self.bearer
        headers: Headers = [who, ("content-type", kind)] if kind else [who]
        reply = self.site.ask(method, path, headers, body, query)
        assert reply.status == status, (method, path, reply)
        return reply

    def begin(self) -> str:
        return self.ask(202, "POST", f"/v2/{FEW}/blobs/uploads/").header("location") or ""

    def upload(self, content: bytes) -> None:
        place = self.begin()
        self.ask(202, "PATCH", place, content)
        self.ask(201, "PUT", place, query=f"digest={digest_of(content)}")

    def push(self, tag: str, *contents: bytes, subject: str = "") -> bytes:
        descriptors = [{"digest": digest_of(each), "size": len(each)} for each in contents]
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, **descriptors[0]},
            "layers": [{"mediaType": LAYER_TYPE, **each} for each in descriptors[1:]],
        }
        if subject:
            manifest["subject"] = {"mediaType": MANIFEST_TYPE, "digest": subject, "size": 2}
        body = json.dumps(manifest).encode()
        self.ask(201, "PUT", f"/v2/{FEW}/manifests/{tag}", body, MANIFEST_TYPE)
        return body


END: Final = f"page_size=100&page={SIZE.large // 100}"
CONFIG: Final = digest_of(configuration(0))


def _get(path: str, query: str = "", method: str = "GET", status: int = 200) -> Callable[[Client], None]:
    def ask(client: Client) -> None:
        client.ask(status, method, path, query=query)

    return ask


def _token(client: Client) -> None:
    client.site.token(f"repository:{FEW}:pull", [client.admin])


def _upload(client: Client) -> None:
    client.upload(b"a layer")


def _upload_whole(client: Client) -> None:
    client.ask(201, "POST", f"/v2/{FEW}/blobs/uploads/", b"{}", query=f"digest={digest_of(b'{}')}")


def _cancel(client: Client) -> None:
    client.ask(204, "DELETE", client.begin())


def _mount(client: Client) -> None:
    client.ask(201, "POST", f"/v2/{FEW}/blobs/uploads/", query=f"mount={CONFIG}&from={LARGE}")


def _push(client: Client) -> None:
    client.upload(b"configuration")
    client.upload(b"layer")
    body = client.push("pushed", b"configuration", b"layer")
    client.push("signed", b"configuration", b"layer", subject=digest_of(body))
    client.ask(200, "GET", f"/v2/{FEW}/referrers/{digest_of(body)}")
    client.ask(202, "DELETE", f"/v2/{FEW}/manifests/signed")
    client.ask(202, "DELETE", f"/v2/{FEW}/manifests/{digest_of(body)}")


def _pulls(client: Client) -> None:
    client.ask(200, "GET", f"/v2/{LARGE}/manifests/{tag_of(1)}")
    client.site.run(client.site.parts.registry.pulls.flush(client.site.parts.database))


def _watch(client: Client) -> None:
    site = client.site
    site.run(site.parts.epoch.poll())
    site.read(backlogs, site.now, site.settings)


def _see(client: Client) -> None:
    client.site.read(standing.visible, "user:500", client.site.now)


def _collect(client: Client) -> None:
    site = client.site
    for _ in range(2):
        site.write(reviews.review_due, site.now, SECOND)
    site.write(collection.reap_uploads, site.now, 0)
    site.write(collection.forget_removals, site.read(collection.due_removals, site.now))
    site.run(site.parts.database.read(collection.without_upload, ["idle-20000"]))


HOT: Final[Mapping[str, Callable[[Client], None]]] = {
    "manifest by tag": _get(f"/v2/{LARGE}/manifests/{tag_of(7)}"),
    "manifest by tag, HEAD": _get(f"/v2/{LARGE}/manifests/{tag_of(7)}", method="HEAD"),
    "blob, HEAD": _get(f"/v2/{LARGE}/blobs/{CONFIG}", method="HEAD"),
    "blob that is not there": _get(f"/v2/{LARGE}/blobs/{digest_of(b'none')}", method="HEAD", status=404),
    "upload": _upload,
    "upload, whole": _upload_whole,
    "upload, cancelled": _cancel,
    "mount": _mount,
    "push": _push,
    "pulls": _pulls,
    "tags, first page": _get(f"/v2/{LARGE}/tags/list", "n=100"),
    "tags, from the middle": _get(f"/v2/{LARGE}/tags/list", f"n=100&last={tag_of(SIZE.large // 2)}"),
    "catalogue, first page": _get("/v2/_catalog", "n=100"),
    "catalogue, from the middle": _get("/v2/_catalog", f"n=100&last={FEW}"),
    "referrers": _get(f"/v2/{LARGE}/referrers/{CONFIG}"),
    "token": _token,
    "artifacts, first page": _get(ARTIFACTS, "page_size=100"),
    "artifacts, last page": _get(ARTIFACTS, END),
    "artifact": _get(f"{ARTIFACTS}/{tag_of(7)}"),
    "tags of an artifact": _get(f"{ARTIFACTS}/{tag_of(7)}/tags"),
    "accessories of an artifact": _get(f"{ARTIFACTS}/{tag_of(7)}/accessories"),
    "repositories of a project": _get("/api/v2.0/projects/library/repositories", "page_size=100"),
    "repositories, last page": _get("/api/v2.0/repositories", "page_size=100&page=2"),
    "denials": _get("/api/v2.0/denials"),
    "denials for a reason": _get("/api/v2.0/denials", "q=reason=reason-3"),
    "denials, from the middle": _get("/api/v2.0/denials", "after=d110000"),
    "denials of a project": _get("/api/v2.0/projects/library/denials"),
    "collection": _collect,
    "watch": _watch,
    "what a user sees": _see,
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Recording]]:
    directory, recording = tmp_path_factory.mktemp("plans"), Recording()
    given: dict[str, Any] = {}
    if request.param == "postgresql":
        server: servers.PostgreSQL = request.getfixturevalue("postgresql")
        given = {"database_url": server.create(), "store": f"file://{directory}/objects", "master_key": KEY}
    with pytest.MonkeyPatch.context() as patch:
        listen_to_single_ones(recording, patch)
        with Site(directory, **given) as site:
            fill(site)
            listen(recording, engine(site))
            yield site, recording


def engine(site: Site) -> Engine:
    database = site.parts.database
    assert isinstance(database, SQLite | PostgreSQL)
    return database.engine


def bad(connection: Connection, statements: Sequence[Statement]) -> Mapping[str, Sequence[Fault]]:
    """What none of them may do, by their texts."""
    found = {
        each.text: [fault for fault in faults(connection, each, SMALL) if not allowed(each, fault)]
        for each in statements
    }
    return {text: some for text, some in found.items() if some}


def allowed(statement: Statement, fault: Fault) -> bool:
    return any(fault.kind == kind and statement.text.startswith(beginning) for kind, beginning in ALLOWED)


@pytest.fixture(scope="module")
def client(site: tuple[Site, Recording]) -> Client:
    return Client(site[0])


@pytest.fixture(scope="module")
def asked(site: tuple[Site, Recording], client: Client) -> Callable[[str], Sequence[Statement]]:
    """What a hot path executes."""
    known: dict[str, Sequence[Statement]] = {}

    def ask(name: str) -> Sequence[Statement]:
        if name not in known:
            site[1].taken()
            HOT[name](client)
            known[name] = site[1].taken()
        return known[name]

    return ask


@pytest.mark.parametrize("name", HOT)
def test_a_hot_path_follows_indexes(
    site: tuple[Site, Recording], asked: Callable[[str], Sequence[Statement]], name: str
) -> None:
    statements = asked(name)
    assert statements, "nothing was seen of it"
    with engine(site[0]).connect() as connection:
        assert not bad(connection, statements)


@pytest.mark.parametrize(
    ("index", "name"),
    [
        ("ix_blob_reviews_due_at", "collection"),
        ("ix_denials_reason", "denials for a reason"),
        ("ix_manifests_repository_id_pushed_at", "artifacts, first page"),
        ("ix_repositories_created_at", "repositories, last page"),
        ("ix_tags_manifest_id_pushed_at", "artifact"),
    ],
)
def test_an_index_that_is_missing_is_found_out(
    site: tuple[Site, Recording], asked: Callable[[str], Sequence[Statement]], index: str, name: str
) -> None:
    statements = asked(name)
    with without_index(engine(site[0]), index) as connection:
        assert bad(connection, statements)
