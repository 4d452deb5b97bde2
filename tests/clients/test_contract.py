"""What must hold for every client: the same scenarios for each of them."""

import re
import time

import pytest

from tests.api import Robot, Role, User, unique
from tests.clients.client import Client, Deleter, refusal
from tests.clients.harbour import Harbour
from tests.images import digest_of
from tests.programs import Refused

pytestmark = pytest.mark.clients

TAG = "1.0.0"  # also a version, as helm needs


def login_and_push(client: Client, account: User | Robot, repository: str, seed: str) -> None:
    # crane and cosign write a password down unread, and try it with the next request
    client.login(account.name, account.password)
    client.push(repository, TAG, seed)


def test_what_is_pushed_is_pulled(client: Client, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    client.login(harbour.developer.name, harbour.developer.password)
    pushed = client.push(repository, TAG, seed)
    assert client.pull(repository, TAG) == pushed
    stored = harbour.admin.manifest(repository, TAG)
    assert digest_of(stored.body) == stored.headers["Docker-Content-Digest"] == pushed.digest


def test_the_api_shows_what_was_pushed(client: Client, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    client.login(harbour.developer.name, harbour.developer.password)
    pushed = client.push(repository, TAG, seed)
    artifact = harbour.admin.artifact(repository, TAG)
    assert artifact["digest"] == pushed.digest
    assert [tag["name"] for tag in artifact["tags"]] == [TAG]


def test_a_tag_can_be_moved(client: Client, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    client.login(harbour.developer.name, harbour.developer.password)
    first = client.push(repository, TAG, f"{seed}-1")
    second = client.push(repository, TAG, f"{seed}-2")
    assert first != second
    assert client.pull(repository, TAG) == second


@pytest.mark.parametrize("name", ["a__b", "a.b-c--d_e", "one/two/three/four/five/six/seven/eight"])
def test_names(client: Client, harbour: Harbour, seed: str, name: str) -> None:
    repository = f"{harbour.private}/{seed}/{name}"
    client.login(harbour.developer.name, harbour.developer.password)
    pushed = client.push(repository, TAG, seed)
    assert client.pull(repository, TAG) == pushed


def test_a_robot_pushes_and_pulls(client: Client, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    robot = harbour.admin.create_robot(harbour.private)
    client.login(robot.name, robot.password)
    pushed = client.push(repository, TAG, seed)
    assert client.pull(repository, TAG) == pushed


def test_anybody_pulls_from_a_public_project(client: Client, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.public}/{seed}"
    client.login(harbour.developer.name, harbour.developer.password)
    pushed = client.push(repository, TAG, seed)
    client.logout()
    assert client.pull(repository, TAG) == pushed


def test_nobody_pulls_from_a_private_project(client: Client, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    client.login(harbour.developer.name, harbour.developer.password)
    client.push(repository, TAG, seed)
    client.logout()
    words = f"You are not logged in, and pull on {repository} is not open to everybody."
    assert words in refusal(lambda: client.pull(repository, TAG))


def test_nobody_pushes(client: Client, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.public}/{seed}"
    words = f"You are not logged in, and push on {repository} is not open to everybody."
    assert words in refusal(lambda: client.push(repository, TAG, seed))


def test_a_wrong_password(client: Client, harbour: Harbour, seed: str) -> None:
    person = harbour.admin.create_user()
    harbour.admin.add_member(harbour.private, person, Role.DEVELOPER)
    wrong = User(person.name, "Not-the-passw0rd")
    output = refusal(lambda: login_and_push(client, wrong, f"{harbour.private}/{seed}", seed))
    assert (client.login_refusal or "The user name or the password is wrong. (reason: bad_credentials") in output
    assert client.login_refusal or "unauthorized" in output.lower()


def test_a_guest_pulls_but_does_not_push(client: Client, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    client.login(harbour.developer.name, harbour.developer.password)
    pushed = client.push(repository, TAG, seed)
    client.login(harbour.guest.name, harbour.guest.password)
    assert client.pull(repository, TAG) == pushed
    words = f"{harbour.guest.name} with the role guest may not push to {repository}."
    output = refusal(lambda: client.push(repository, "2.0.0", f"{seed}-2"))
    assert words in output
    assert re.search(r"\(reason: no_permission, request: [0-9a-f]{16}\)", output)


def test_an_outsider_learns_nothing(client: Client, harbour: Harbour, seed: str) -> None:
    repository, nowhere = f"{harbour.private}/{seed}", f"{unique('nowhere')}/{seed}"
    client.login(harbour.developer.name, harbour.developer.password)
    client.push(repository, TAG, seed)
    client.login(harbour.outsider.name, harbour.outsider.password)
    same = "The project {} does not exist, or {} has no pull right in it."
    for place in (repository, nowhere):
        words = same.format(place.partition("/")[0], harbour.outsider.name)
        assert words in refusal(lambda place=place: client.pull(place, TAG))  # type: ignore[misc]


def test_a_push_into_no_project(client: Client, harbour: Harbour, seed: str) -> None:
    project = unique("nowhere")
    client.login(harbour.admin.username, harbour.admin.password)
    output = refusal(lambda: client.push(f"{project}/{seed}", TAG, seed))
    assert f"The project {project} does not exist. Create it first." in output


def test_an_expired_robot(client: Client, harbour: Harbour, seed: str) -> None:
    robot = harbour.admin.create_robot(harbour.private)
    harbour.expire(robot)
    output = refusal(lambda: login_and_push(client, robot, f"{harbour.private}/{seed}", seed))
    assert (client.login_refusal or "This robot account has expired.") in output


def test_a_robot_disabled_after_it_logged_in(client: Client, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    robot = harbour.admin.create_robot(harbour.private)
    client.login(robot.name, robot.password)
    client.push(repository, TAG, seed)
    harbour.admin.disable_robot(robot)
    everywhere = time.monotonic() + 2  # within 2 seconds every replica refuses
    output = ""
    while not output:
        late = time.monotonic() > everywhere
        try:
            client.push(repository, "2.0.0", f"{seed}-2")
        except Refused as refused:
            output = refused.output
        assert output or not late, "a disabled robot still pushes"
    assert "This account is disabled." in output


def test_what_was_deleted_is_not_pulled(client: Client, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    client.login(harbour.developer.name, harbour.developer.password)
    pushed = client.push(repository, TAG, seed)
    harbour.admin.delete_artifact(repository, pushed.digest)
    output = refusal(lambda: client.pull(repository, TAG))
    assert any(words in output for words in ("manifest unknown", "MANIFEST_UNKNOWN", "not found"))


def test_a_client_deletes(deleter: Deleter, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    deleter.login(harbour.maintainer.name, harbour.maintainer.password)
    deleter.push(repository, TAG, seed)
    deleter.delete(repository, TAG)
    assert harbour.admin.manifest(repository, TAG).status == 404
    refusal(lambda: deleter.pull(repository, TAG))


def test_a_developer_does_not_delete(deleter: Deleter, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    deleter.login(harbour.developer.name, harbour.developer.password)
    pushed = deleter.push(repository, TAG, seed)
    words = f"{harbour.developer.name} with the role developer may not delete {repository}."
    assert words in refusal(lambda: deleter.delete(repository, TAG))
    assert deleter.pull(repository, TAG) == pushed
