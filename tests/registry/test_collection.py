"""Collection against a model that knows nothing of tables: what must be there, what may be, and what must be gone.

Everything goes through the registry's own endpoints, with a clock that only the test moves.
"""

import hashlib
import itertools
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import structlog
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Connection, select

from mooring.cluster.clock import SECOND
from mooring.registry import removal
from mooring.registry.collection import READERS_GRACE
from mooring.registry.tables import blobs, repositories, repository_blobs
from tests.http.site import ADMIN_PASSWORD, Reply, Site, basic

ADMIN = basic("admin", ADMIN_PASSWORD)
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DELAY = 100 * SECOND
IDLE = 300 * SECOND

REPOSITORIES = st.sampled_from(["app", "base", "deep/er"])
CONTENTS = st.sampled_from(range(5))
TAGS = st.sampled_from(["latest", "v1"])
STEPS = st.sampled_from([SECOND, DELAY // 3, DELAY // 2, DELAY - 1, DELAY, READERS_GRACE, IDLE])
EXAMPLES = int(os.environ.get("MOORING_TEST_EXAMPLES", "40"))

_runs = itertools.count()


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class Link:
    """A blob in a repository, that no manifest there may refer to."""

    kept_until: int
    """Before this nothing may take it."""
    gone_by: int
    """Collected at this time or later, it is gone."""


@dataclass
class Upload:
    repository: str
    touched_at: int
    content: bytes = b""


@dataclass
class Repository:
    links: dict[str, Link] = field(default_factory=dict)
    manifests: dict[str, frozenset[str]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def refers_to(self, digest: str) -> bool:
        return any(digest in needed for needed in self.manifests.values())

    def must_hold(self, digest: str, now: int) -> bool:
        link = self.links.get(digest)
        return self.refers_to(digest) or (link is not None and now < link.kept_until)

    def let_go(self, now: int) -> None:
        """What a round of collection at `now` takes for sure."""
        for digest in [each for each, link in self.links.items() if link.gone_by <= now]:
            if not self.refers_to(digest):
                del self.links[digest]


class Harbour(RuleBasedStateMachine):
    site: Site

    def __init__(self) -> None:
        super().__init__()
        site = self.site
        self.run = next(_runs)
        self.prefix = f"library/run{self.run}"
        self.contents = [f"run {self.run}, content {number}".encode() for number in range(5)]
        self.content_of = {digest_of(content): content for content in self.contents}
        self.repositories: dict[str, Repository] = {}
        self.uploads: dict[str, Upload] = {}
        self.objects_before = set(site.parts.store.keys())

    @property
    def now(self) -> int:
        return self.site.now

    def ask(self, method: str, repository: str, path: str, body: bytes = b"", media_type: str = "") -> Reply:
        headers = [ADMIN, ("content-type", media_type)] if media_type else [ADMIN]
        return self.site.ask(method, f"/v2/{self.prefix}/{repository}/{path}", headers, body)

    def linked(self, repository: str, digest: str) -> None:
        links = self.repositories.setdefault(repository, Repository()).links
        links[digest] = Link(self.now + DELAY, self.now + DELAY)

    def known(self, repository: str) -> Repository:
        return self.repositories.get(repository, Repository())

    @rule(repository=REPOSITORIES, number=CONTENTS)
    def push_a_blob(self, repository: str, number: int) -> None:
        content = self.contents[number]
        reply = self.ask("POST", repository, f"blobs/uploads/?digest={digest_of(content)}", content)
        assert reply.status == 201
        self.linked(repository, digest_of(content))

    @rule(origin=REPOSITORIES, repository=REPOSITORIES, number=CONTENTS)
    def mount_a_blob(self, origin: str, repository: str, number: int) -> None:
        digest = digest_of(self.contents[number])
        held, may_be = self.known(origin).must_hold(digest, self.now), digest in self.known(origin).links
        reply = self.ask("POST", repository, f"blobs/uploads/?mount={digest}&from={self.prefix}/{origin}")
        if reply.status == 201:
            assert may_be
            self.linked(repository, digest)
        else:
            assert reply.status == 202
            assert not held
            self.began(repository, reply)

    @rule(repository=REPOSITORIES)
    def begin_an_upload(self, repository: str) -> None:
        reply = self.ask("POST", repository, "blobs/uploads/")
        assert reply.status == 202
        self.began(repository, reply)

    def began(self, repository: str, reply: Reply) -> None:
        self.repositories.setdefault(repository, Repository())
        location = reply.header("location")
        assert location
        self.uploads[location.rpartition("/")[2]] = Upload(repository, self.now)

    @precondition(lambda self: self.uploads)
    @rule(data=st.data(), number=CONTENTS)
    def send_a_chunk(self, data: st.DataObject, number: int) -> None:
        name = data.draw(st.sampled_from(list(self.uploads)))
        upload = self.uploads[name]
        chunk = self.rest(upload, number)[:9]
        assert self.ask("PATCH", upload.repository, f"blobs/uploads/{name}", chunk).status == 202
        upload.content += chunk
        upload.touched_at = self.now

    @precondition(lambda self: self.uploads)
    @rule(data=st.data(), number=CONTENTS)
    def end_an_upload(self, data: st.DataObject, number: int) -> None:
        name = data.draw(st.sampled_from(list(self.uploads)))
        upload, digest = self.uploads[name], digest_of(self.contents[number])
        rest = self.rest(upload, number)
        reply = self.ask("PUT", upload.repository, f"blobs/uploads/{name}?digest={digest}", rest)
        if upload.content + rest == self.contents[number]:
            assert reply.status == 201
            del self.uploads[name]
            self.linked(upload.repository, digest)
        else:
            assert reply.status == 400

    def rest(self, upload: Upload, number: int) -> bytes:
        """What an upload lacks of a content; just something where it has begun as another one."""
        content = self.contents[number]
        return content[len(upload.content) :] if content.startswith(upload.content) else b"something"

    @precondition(lambda self: self.uploads)
    @rule(data=st.data())
    def cancel_an_upload(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(list(self.uploads)))
        repository = self.uploads.pop(name).repository
        assert self.ask("DELETE", repository, f"blobs/uploads/{name}").status == 204
        assert self.ask("GET", repository, f"blobs/uploads/{name}").status == 404

    @rule(repository=REPOSITORIES, number=CONTENTS)
    def ask_for_a_blob(self, repository: str, number: int) -> None:
        """Told that it is there, a client will not send it: it must stay long enough for the manifest to come."""
        digest = digest_of(self.contents[number])
        known = self.known(repository)
        reply = self.ask("HEAD", repository, f"blobs/{digest}")
        if reply.status == 200:
            link = known.links[digest]
            link.kept_until = max(link.kept_until, self.now + DELAY // 2)
            link.gone_by = max(link.gone_by, self.now + DELAY)
        else:
            assert reply.status == 404
            assert not known.must_hold(digest, self.now)
            known.links.pop(digest, None)

    @rule(repository=REPOSITORIES, numbers=st.lists(CONTENTS, min_size=1, max_size=3), tag=TAGS)
    def push_a_manifest(self, repository: str, numbers: list[int], tag: str) -> None:
        known = self.repositories.setdefault(repository, Repository())
        needed = frozenset(digest_of(self.contents[number]) for number in numbers)
        body = manifest([self.contents[number] for number in numbers])
        sure = all(known.must_hold(digest, self.now) for digest in needed)
        reply = self.ask("PUT", repository, f"manifests/{tag}", body, OCI_MANIFEST)
        if reply.status == 201:
            assert needed <= known.links.keys()
            known.manifests[digest_of(body)] = needed
            known.tags[tag] = digest_of(body)
            self.content_of[digest_of(body)] = body
        else:
            assert (reply.status, reply.code) == (404, "MANIFEST_BLOB_UNKNOWN")
            assert not sure

    @rule(repository=REPOSITORIES, numbers=st.lists(CONTENTS, min_size=1, max_size=3), tag=TAGS)
    def push_an_image(self, repository: str, numbers: list[int], tag: str) -> None:
        for number in numbers:
            self.push_a_blob(repository, number)
        self.push_a_manifest(repository, numbers, tag)

    @precondition(lambda self: any(each.manifests for each in self.repositories.values()))
    @rule(data=st.data(), tag=TAGS)
    def tag_a_manifest(self, data: st.DataObject, tag: str) -> None:
        repository, digest = self.draw_manifest(data)
        reply = self.ask("PUT", repository, f"manifests/{tag}", self.content_of[digest], OCI_MANIFEST)
        assert reply.status == 201
        self.repositories[repository].tags[tag] = digest

    @precondition(lambda self: any(each.manifests for each in self.repositories.values()))
    @rule(data=st.data(), through_api=st.booleans())
    def delete_a_manifest(self, data: st.DataObject, through_api: bool) -> None:
        repository, digest = self.draw_manifest(data)
        if through_api:
            name = f"{self.prefix}/{repository}"
            repository_id = self.site.read(_id_of, name)
            assert repository_id is not None
            self.site.write(removal.remove_artifact, self.now, repository_id, name, digest, DELAY)
        else:
            assert self.ask("DELETE", repository, f"manifests/{digest}").status == 202
        self.forget_manifest(repository, digest)

    def forget_manifest(self, repository: str, digest: str) -> None:
        known = self.repositories[repository]
        known.tags = {tag: each for tag, each in known.tags.items() if each != digest}
        for blob in known.manifests.pop(digest):
            known.links[blob] = Link(self.now + DELAY, self.now + DELAY)

    def draw_manifest(self, data: st.DataObject) -> tuple[str, str]:
        found = [(name, digest) for name, each in self.repositories.items() for digest in each.manifests]
        return data.draw(st.sampled_from(found))

    @rule(repository=REPOSITORIES, tag=TAGS)
    def delete_a_tag(self, repository: str, tag: str) -> None:
        known = self.known(repository).tags
        reply = self.ask("DELETE", repository, f"manifests/{tag}")
        assert reply.status == (202 if known.pop(tag, None) else 404)

    @rule(repository=REPOSITORIES, number=CONTENTS)
    def delete_a_blob(self, repository: str, number: int) -> None:
        digest, known = digest_of(self.contents[number]), self.known(repository)
        reply = self.ask("DELETE", repository, f"blobs/{digest}")
        if known.refers_to(digest):
            assert reply.status == 405
        else:
            assert reply.status == 202 or not known.must_hold(digest, self.now)
            known.links.pop(digest, None)

    @precondition(lambda self: self.repositories)
    @rule(data=st.data())
    def remove_a_repository(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(list(self.repositories)))
        whole = f"{self.prefix}/{name}"
        if self.site.read(_id_of, whole) is None:
            assert not self.repositories[name].links  # a manifest that was refused makes no repository
            return
        self.site.write(removal.remove_repository, self.now, self.site.read(_project_of, whole), whole)
        del self.repositories[name]
        self.uploads = {key: each for key, each in self.uploads.items() if each.repository != name}

    @rule(step=STEPS)
    def let_time_pass(self, step: int) -> None:
        move_clock(self.site, step)

    @rule()
    def collect(self) -> None:
        self.site.run(self.site.parts.collector.run())
        for repository in self.repositories.values():
            repository.let_go(self.now)
        self.uploads = {key: each for key, each in self.uploads.items() if self.now < each.touched_at + IDLE}

    @rule()
    def settle(self) -> None:
        """After all delays and a few rounds just what manifests need is left, in the tables and in the store."""
        self.let_time_pass(max(DELAY, IDLE))
        self.collect()
        self.let_time_pass(READERS_GRACE)
        self.collect()
        assert not self.uploads
        needed = {
            (f"{self.prefix}/{name}", digest)
            for name, repository in self.repositories.items()
            for digest in set().union(*repository.manifests.values())
        }
        found = self.site.read(_links, self.prefix)
        assert {(name, digest) for name, digest, _ in found} == needed
        assert set(self.site.parts.store.keys()) - self.objects_before == {key for _, _, key in found}

    @invariant()
    def what_must_be_there_is_there_and_whole(self) -> None:
        found = {(name, digest): key for name, digest, key in self.site.read(_links, self.prefix)}
        for name, repository in self.repositories.items():
            for digest in repository.links:
                if repository.must_hold(digest, self.now):
                    key = found[f"{self.prefix}/{name}", digest]
                    path = self.site.settings.store_path / key[:2] / key
                    assert path.read_bytes() == self.content_of[digest]

    @invariant()
    def nothing_is_there_that_must_be_gone(self) -> None:
        for name, digest, _ in self.site.read(_links, self.prefix):
            assert digest in self.known(name.removeprefix(f"{self.prefix}/")).links

    @invariant()
    def every_tag_and_manifest_is_as_it_was_pushed(self) -> None:
        for name, repository in self.repositories.items():
            for reference, digest in [*repository.tags.items(), *((each, each) for each in repository.manifests)]:
                assert self.ask("GET", name, f"manifests/{reference}").body == self.content_of[digest]

    def teardown(self) -> None:
        """Without their manifests, and then without their repositories, no blob stays for ever."""
        self.settle()
        for name, repository in self.repositories.items():
            for digest in list(repository.manifests):
                self.forget_manifest(name, digest)
                assert self.ask("DELETE", name, f"manifests/{digest}").status == 202
        self.collect()
        self.what_must_be_there_is_there_and_whole()
        self.settle()


def move_clock(site: Site, step: int) -> None:
    later = site.now + step
    site.parts.clock.now = lambda: later  # type: ignore[method-assign]


def manifest(contents: list[bytes]) -> bytes:
    described = [
        {"mediaType": "application/octet-stream", "digest": digest_of(content), "size": len(content)}
        for content in contents
    ]
    return json.dumps(
        {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": described[0], "layers": described[1:]}
    ).encode()


def _links(connection: Connection, prefix: str) -> list[tuple[str, str, str]]:
    """Repository, digest and object key of each link below `prefix`."""
    query = (
        select(repositories.c.name, blobs.c.digest, blobs.c.object_key)
        .join(repository_blobs, repository_blobs.c.repository_id == repositories.c.id)
        .join(blobs, blobs.c.digest == repository_blobs.c.digest)
        .where(repositories.c.name.startswith(f"{prefix}/"))
    )
    return [(row.name, row.digest, row.object_key) for row in connection.execute(query)]


def _id_of(connection: Connection, name: str) -> int | None:
    return connection.scalar(select(repositories.c.id).where(repositories.c.name == name))


def _project_of(connection: Connection, name: str) -> int:
    return int(connection.scalars(select(repositories.c.project_id).where(repositories.c.name == name)).one())


@pytest.fixture(scope="module")
def still_site() -> Iterator[Site]:
    """In memory where there is such a place: this is about what is kept, not about how it is synced."""
    memory = Path("/dev/shm")
    delays = {"collection_delay_seconds": DELAY / SECOND, "upload_idle_hours": IDLE / SECOND / 3600}
    with (
        TemporaryDirectory(prefix="mooring-", dir=memory if memory.is_dir() else None) as directory,
        Site(Path(directory) / "data", **delays) as site,
    ):
        move_clock(site, 0)
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        yield site
        structlog.reset_defaults()


def test_collection_takes_what_nobody_needs_and_nothing_else(still_site: Site) -> None:
    Harbour.site = still_site
    run_state_machine_as_test(
        Harbour,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
