"""Repositories, artifacts and tags: what is shown of them, and what goes with them."""

import hashlib
from urllib.parse import quote

import pytest
from sqlalchemy import func, select

from mooring.registry import reviews
from mooring.registry.tables import blob_reviews, blobs, object_removals, repository_blobs, uploads
from tests.http.site import Site
from tests.management.desk import Desk, chief, make_project, make_user, somebody
from tests.management.pushing import HELM_CONFIG, INDEX, MANIFEST, push_blob, push_image, push_index, push_manifest

DEVELOPER, GUEST = 2, 3
SECOND = 1_000_000


def artifacts_path(repository: str) -> str:
    project, _, name = repository.partition("/")
    return f"/projects/{project}/repositories/{quote(quote(name, safe=''), safe='')}/artifacts"


@pytest.fixture
def repository(site: Site) -> str:
    return f"{make_project(site)}/team/app"


def test_a_name_with_slashes_in_each_encoding(site: Site, repository: str) -> None:
    desk = chief(site)
    push_image(desk.send, repository, "v1")
    project = repository.partition("/")[0]
    for name in ("team%252Fapp", "team%2Fapp", "team%252fapp"):
        assert desk.get(f"/projects/{project}/repositories/{name}")["name"] == repository
        assert [tag["name"] for tag in desk.get(f"/projects/{project}/repositories/{name}/artifacts/v1/tags")] == ["v1"]
    assert desk.ask("GET", f"/projects/{project}/repositories/team%25252Fapp").status == 400
    assert desk.ask("GET", f"/projects/{project}/repositories/team/app").status == 404


def test_kinds(site: Site, repository: str) -> None:
    desk = chief(site)
    push_image(desk.send, repository, "image")
    push_image(desk.send, repository, "chart", config_type=HELM_CONFIG)
    push_image(desk.send, repository, "other", config_type="application/vnd.acme.rocket.config.v1+json")
    push_image(desk.send, repository, "none", config_type="application/octet-stream")
    push_index(desk.send, repository, "index", ["arm64"])
    found = {item["tags"][0]["name"]: item for item in desk.get(artifacts_path(repository))}
    kinds = {name: item["type"] for name, item in found.items()}
    assert kinds == {"image": "IMAGE", "chart": "CHART", "other": "ROCKET", "none": "UNKNOWN", "index": "IMAGE"}
    assert found["index"]["manifest_media_type"] == INDEX
    assert found["image"]["extra_attrs"]["architecture"] == "amd64"
    assert found["chart"]["extra_attrs"] == {}
    assert found["image"]["pull_time"].startswith("0001-01-01")
    assert found["index"]["size"] > found["index"]["references"][0]["child_id"] * 0
    assert [item["tags"][0]["name"] for item in desk.get(artifacts_path(repository), "q=type%3DCHART")] == ["chart"]
    assert len(desk.get(artifacts_path(repository), "q=type%3DIMAGE")) == 2


def test_the_list_by_tags(site: Site, repository: str) -> None:
    desk = chief(site)
    both = push_image(desk.send, repository, "v1", seed="one")
    push_image(desk.send, repository, "v1.1", seed="one")
    other = push_image(desk.send, repository, "w2", seed="two")
    bare = push_image(desk.send, repository, None, seed="three")

    def listed(query: str) -> set[str]:
        return {item["digest"] for item in desk.get(artifacts_path(repository), f"q=tags%3D{query}")}

    assert listed("*") == {both, other}
    assert listed("nil") == {bare}
    assert listed("v1") == {both}
    assert listed("~v") == {both}
    assert listed("(v1%20v1.1)") == {both}
    assert listed("(v1%20w2)") == set()
    assert desk.ask("GET", artifacts_path(repository), query="q=tags%3D%5Ba~b%5D").status == 400
    shown = desk.get(f"{artifacts_path(repository)}/v1", "with_tag=false")
    assert "tags" not in shown
    newest = desk.get(artifacts_path(repository), "sort=-push_time&page_size=1")
    assert [item["digest"] for item in newest] == [bare]


def test_accessories_hang_on_their_subject(site: Site, repository: str) -> None:
    desk = chief(site)
    image = push_image(desk.send, repository, "v1")
    subject = {"mediaType": MANIFEST, "digest": image, "size": 1}
    kind = "application/vnd.cncf.notary.signature"
    signature = push_image(desk.send, repository, None, seed="signature", subject=subject, artifact_type=kind)
    dangling = {"mediaType": MANIFEST, "digest": f"sha256:{'0' * 64}", "size": 1}
    alone = push_image(desk.send, repository, None, seed="dangling", subject=dangling)
    found = {item["digest"]: item for item in desk.get(artifacts_path(repository))}
    assert set(found) == {image, alone}
    assert [each["type"] for each in found[image]["accessories"]] == ["signature.notation"]
    (listed,) = desk.get(f"{artifacts_path(repository)}/v1/accessories")
    assert (listed["digest"], listed["subject_artifact_digest"]) == (signature, image)
    desk.delete(f"{artifacts_path(repository)}/v1")
    assert [item["digest"] for item in desk.get(artifacts_path(repository), "q=base%3D*")] == [alone]


def test_an_index_takes_with_it_what_is_nothing_else(site: Site, repository: str) -> None:
    desk = chief(site)
    index = push_index(desk.send, repository, "multi", ["amd64", "arm64"], seed="parts")
    tagged = push_image(desk.send, repository, "kept", seed="parts", architecture="arm64")
    held = push_image(desk.send, repository, None, seed="parts", architecture="amd64")
    reply = desk.ask("DELETE", f"{artifacts_path(repository)}/{held}")
    assert (reply.status, reply.code) == (412, "PRECONDITION")
    desk.delete(f"{artifacts_path(repository)}/{index}")
    assert [item["digest"] for item in desk.get(artifacts_path(repository), "q=base%3D*")] == [tagged]


def test_parts_of_two_indexes_stay_for_the_other(site: Site, repository: str) -> None:
    desk = chief(site)
    one = push_index(desk.send, repository, "one", ["amd64"], seed="shared")
    push_index(desk.send, repository, "two", ["amd64", "arm64"], seed="shared")
    desk.delete(f"{artifacts_path(repository)}/{one}")
    left = desk.get(f"{artifacts_path(repository)}/two")
    assert len(left["references"]) == 2


def test_what_is_deleted_is_reviewed_for_collection(site: Site, repository: str) -> None:
    desk = chief(site)
    image = push_image(desk.send, repository, "v1", seed="collect")
    layer = f"sha256:{hashlib.sha256(b'collect').hexdigest()}"
    desk.delete(f"{artifacts_path(repository)}/{image}")
    assert count_reviews(site, layer) == 1


def test_a_repository_takes_everything_with_it(site: Site, repository: str) -> None:
    desk = chief(site)
    push_image(desk.send, repository, "v1", seed="whole")
    other = f"{make_project(site)}/app"
    push_blob(desk.send, other, b"shared by two")
    push_blob(desk.send, repository, b"shared by two")
    assert desk.send("POST", f"/v2/{repository}/blobs/uploads/", {}, b"") == 202
    project, _, name = repository.partition("/")
    desk.delete(f"/projects/{project}/repositories/{quote(quote(name, safe=''), safe='')}")
    assert desk.get(f"/projects/{project}/repositories") == []
    assert desk.ask("GET", artifacts_path(repository)).status == 404
    assert site.read(lambda c: c.execute(select(func.count()).select_from(uploads)).scalar_one()) == 0
    assert site.read(lambda c: c.execute(select(func.count()).select_from(object_removals)).scalar_one()) > 0
    now = site.now + 3 * SECOND
    site.write(reviews.review_due, now, 0)
    known = site.read(lambda c: set(c.scalars(select(blobs.c.digest))))
    linked = site.read(lambda c: set(c.scalars(select(repository_blobs.c.digest))))
    assert digest(b"shared by two") in known & linked
    assert digest(b"whole") not in known
    desk.delete(f"/projects/{project}")


def test_a_project_with_repositories_stays(site: Site, repository: str) -> None:
    desk, project = chief(site), repository.partition("/")[0]
    push_image(desk.send, repository, "v1")
    assert desk.get(f"/projects/{project}")["repo_count"] == 1
    summary = desk.get(f"/projects/{project}/summary")
    assert (summary["repo_count"], summary["quota"]["used"]["storage"] > 0) == (1, True)
    assert desk.get(f"/projects/{project}/_deletable")["deletable"] is False
    assert desk.ask("DELETE", f"/projects/{project}").status == 412


def test_tags(site: Site, repository: str) -> None:
    desk = chief(site)
    one = push_image(desk.send, repository, "v1", seed="one")
    two = push_image(desk.send, repository, "v2", seed="two")
    tags = f"{artifacts_path(repository)}/{one}/tags"
    reply = desk.ask("POST", tags, {"name": "latest"})
    assert (reply.status, reply.header("location")) == (201, f"/api/v2.0{tags}/latest")
    assert desk.ask("POST", f"{artifacts_path(repository)}/{two}/tags", {"name": "latest"}).status == 409
    for name in ("", "-x", "a b", "x" * 129, "a\x00"):
        assert desk.ask("POST", tags, {"name": name}).status == 400
    assert [tag["name"] for tag in desk.get(tags, "sort=name")] == ["latest", "v1"]
    assert [tag["name"] for tag in desk.get(tags, "q=name%3D~late")] == ["latest"]
    assert desk.ask("DELETE", f"{artifacts_path(repository)}/{two}/tags/latest").status == 404
    desk.delete(f"{tags}/latest")
    assert desk.ask("GET", f"{artifacts_path(repository)}/latest").status == 404
    assert desk.get(f"{artifacts_path(repository)}/v1")["digest"] == one


def test_roles(site: Site) -> None:
    _, developer = make_user(site)
    _, guest = make_user(site)
    repository = f"{make_project(site, members={developer: DEVELOPER, guest: GUEST})}/app"
    push_image(chief(site).send, repository, "v1")
    tags = f"{artifacts_path(repository)}/v1/tags"
    assert somebody(site, guest).ask("POST", tags, {"name": "mine"}).status == 403
    assert somebody(site, developer).ask("POST", tags, {"name": "mine"}).status == 201
    assert somebody(site, developer).ask("DELETE", f"{tags}/mine").status == 403
    assert somebody(site, guest).get(f"{artifacts_path(repository)}/mine")["type"] == "IMAGE"
    assert Desk(site).ask("GET", artifacts_path(repository)).status == 401


def test_a_repository_is_found_in_its_project_only(site: Site) -> None:
    _, name = make_user(site)
    mine, hidden = make_project(site, members={name: 1}), f"{make_project(site)}/app"
    push_image(chief(site).send, hidden, "v1")
    own = somebody(site, name)
    reply = own.ask("GET", f"/projects/{mine}/repositories/..%252F{hidden.replace('/', '%252F')}")
    assert reply.status == 400
    assert own.ask("DELETE", f"/projects/{mine}/repositories/app").status == 404
    assert own.get("/repositories", "q=name%3D~app") == []


def test_a_configuration_that_is_no_json_harms_nobody(site: Site, repository: str) -> None:
    desk = chief(site)
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", **push_blob(desk.send, repository, b"\xff{")}
    push_manifest(
        desk.send,
        repository,
        "odd",
        MANIFEST,
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []},
    )
    assert desk.get(f"{artifacts_path(repository)}/odd")["extra_attrs"] == {}
    deep = b"[" * 30_000
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", **push_blob(desk.send, repository, deep)}
    push_manifest(
        desk.send,
        repository,
        "deep",
        MANIFEST,
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []},
    )
    assert desk.get(f"{artifacts_path(repository)}/deep")["extra_attrs"] == {}


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def count_reviews(site: Site, of: str) -> int:
    query = select(func.count()).select_from(blob_reviews).where(blob_reviews.c.digest == of)
    return site.read(lambda connection: int(connection.execute(query).scalar_one()))
