"""Refused by whichever replica: found in one place, counted once, and explained for all of them."""

import json
from collections import Counter

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.api import PASSWORD, Api, Role
from tests.http.site import basic, bearer
from tests.http.wire import ask
from tests.replicas.cluster import Cluster
from tests.workers import wait_for

pytestmark = pytest.mark.replicas
EACH = 5


@pytest.fixture(scope="module")
def admin(cluster: Cluster) -> Api:
    return Api(cluster.url, cluster.username, cluster.password)


def rows(admin: Api, project: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = admin.call(
        "GET", "/denials", query={"q": f"project={project}", "page_size": 100}
    ).json
    return found


def test_a_refusal_by_any_replica_is_found_by_every_one(cluster: Cluster, admin: Api) -> None:
    project, guest = admin.create_project("denials"), admin.create_user("guest")
    admin.add_member(project, guest, Role.GUEST)
    path = f"/v2/{project}/app/blobs/uploads/"
    replies = [ask(cluster.url, "POST", path, [basic(guest.name, PASSWORD)]) for _ in range(EACH * 3)]
    assert {reply.status for reply in replies} == {403}
    wait_for(lambda: len(rows(admin, project)) == len(replies), "all are written")
    for _replica in cluster.replicas:
        found = rows(admin, project)
        assert {row["request_id"] for row in found} == {reply.error["detail"]["request_id"] for reply in replies}
        by_replica = Counter(str(row["replica"]).partition("/")[0] for row in found)
        assert by_replica == {replica.name: EACH for replica in cluster.replicas}
    for reply in replies[:3]:
        told = cluster.mooring("explain", reply.error["detail"]["request_id"])
        assert told.code == 0, told.text
        assert f"replica  {reply.error['detail']['replica']}\n" in told.out


def test_a_token_is_judged_for_each_replica(cluster: Cluster, admin: Api) -> None:
    reply = ask(cluster.url, "GET", "/service/token", [basic(cluster.username, cluster.password)])
    told = cluster.mooring("explain", "--output", "json", typed=reply.json["token"])
    assert told.code == 0, told.text
    opinions = json.loads(told.out)["opinions"]
    assert {each["replica"].partition("/")[0] for each in opinions} == {replica.name for replica in cluster.replicas}
    assert all(each["takes"] for each in opinions)

    key = ECKey.generate_key("P-256")
    foreign = jwt.encode({"alg": "ES256", "kid": key.thumbprint()}, {"iss": "mooring"}, key, algorithms=["ES256"])
    told = cluster.mooring("explain", "--output", "json", typed=foreign)
    assert told.code == 1, told.text
    judged = [(each["takes"], each["reason"]) for each in json.loads(told.out)["opinions"]]
    assert judged == [(False, "unknown_kid")] * len(opinions)
    for _replica in cluster.replicas:
        assert ask(cluster.url, "GET", "/v2/", [bearer(foreign)]).reason == "unknown_kid"
