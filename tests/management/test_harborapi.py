"""An independent client of Harbor, with its own models of what Harbor answers, drives the API of a real server."""

import asyncio
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

import pytest
from harborapi import HarborAsyncClient
from harborapi.exceptions import BadRequest, Conflict, Forbidden, NotFound, PreconditionFailed, Unauthorized
from harborapi.models import (
    Access,
    ProjectMemberEntity,
    ProjectMetadata,
    ProjectReq,
    Repository,
    RobotCreate,
    RobotCreateV1,
    RobotPermission,
    UserCreationReq,
    UserProfile,
)
from harborapi.models.models import RoleRequest

from tests.api import PASSWORD, Api, Role, unique
from tests.management.pushing import Send, push_image, push_index
from tests.server import Server

As = Callable[[str, str], HarborAsyncClient]
Run = Callable[[Coroutine[Any, Any, None]], None]

NEW_PASSWORD = "Another-Sailor-8"


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def run(runner: asyncio.Runner) -> Run:
    return runner.run


@pytest.fixture
def as_user(server: Server, runner: asyncio.Runner) -> Iterator[As]:
    made: list[HarborAsyncClient] = []

    def client(name: str, password: str) -> HarborAsyncClient:
        made.append(HarborAsyncClient(f"{server.url}/api/v2.0", username=name, secret=password, retry=None, timeout=60))
        return made[-1]

    yield client
    for each in made:
        runner.run(each.client.aclose())


@pytest.fixture
def harbor(server: Server, as_user: As) -> HarborAsyncClient:
    return as_user(server.username, server.password)


@pytest.fixture
def send(server: Server) -> Send:
    credentials = b64encode(f"{server.username}:{server.password}".encode()).decode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def send(method: str, path: str, headers: Mapping[str, str], body: bytes) -> int:
        sent = {"content-type": "application/octet-stream", **headers, "authorization": f"Basic {credentials}"}
        try:
            with opener.open(
                urllib.request.Request(server.url + path, body, sent, method=method), timeout=60
            ) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code

    return send


def number(location: str) -> int:
    return int(location.rpartition("/")[2])


def test_what_the_registry_says_of_itself(run: Run, harbor: HarborAsyncClient) -> None:
    async def scenario() -> None:
        assert await harbor.ping() == "Pong"
        health = await harbor.health_check()
        assert health.status == "healthy"
        assert {item.name for item in health.components or []} >= {"core", "database"}
        info = await harbor.get_system_info()
        assert info.harbor_version is not None
        assert info.harbor_version.startswith("v2.")
        assert (info.auth_mode, info.self_registration, info.read_only) == ("db_auth", False, False)
        permissions = await harbor.get_permissions()
        assert ("repository", "push") in {(item.resource, item.action) for item in permissions.project or []}
        assert ("user", "list") in {(item.resource, item.action) for item in permissions.system or []}

    run(scenario())


def test_users(run: Run, harbor: HarborAsyncClient, as_user: As) -> None:
    name = unique("user")

    async def scenario() -> None:
        request = UserCreationReq(
            username=name, password=PASSWORD, email=f"{name}@example.com", realname="Real Name", comment="A comment"
        )
        user_id = number(await harbor.create_user(request))
        with pytest.raises(Conflict):
            await harbor.create_user(request)
        found = await harbor.get_user(user_id)
        assert (found.username, found.email, found.sysadmin_flag) == (name, f"{name}@example.com", False)
        assert found.creation_time is not None
        assert [user.username for user in await harbor.get_users(query=f"username={name}")] == [name]
        assert [user.user_id for user in await harbor.search_users_by_username(name)] == [user_id]
        assert (await harbor.get_user_by_username(name)).user_id == user_id

        own = as_user(name, PASSWORD)
        assert (await own.get_current_user()).user_id == user_id
        await own.update_user(user_id, UserProfile(email=f"{name}@new.example", realname="New Name", comment=""))
        assert (await harbor.get_user(user_id)).realname == "New Name"
        with pytest.raises(Forbidden):
            await own.get_users()
        with pytest.raises(Forbidden):
            await own.set_user_admin(user_id, is_admin=True)
        with pytest.raises(Forbidden):
            await own.set_user_password(user_id, NEW_PASSWORD, "Wrong-Old-1")
        await own.set_user_password(user_id, NEW_PASSWORD, PASSWORD)
        with pytest.raises(Unauthorized):
            await own.get_current_user()
        with pytest.raises(BadRequest):
            await harbor.set_user_password(user_id, "weak")

        await harbor.set_user_admin(user_id, is_admin=True)
        assert (await harbor.get_user(user_id)).sysadmin_flag
        await harbor.set_user_admin(user_id, is_admin=False)
        await harbor.delete_user(user_id)
        with pytest.raises(NotFound):
            await harbor.get_user(user_id)

    run(scenario())


def test_projects(run: Run, harbor: HarborAsyncClient, as_user: As, admin: Api) -> None:
    name, user, outsider = unique("project"), admin.create_user("owner"), admin.create_user("outsider")

    async def scenario() -> None:
        own, other = as_user(user.name, user.password), as_user(outsider.name, outsider.password)
        request = ProjectReq(project_name=name, metadata=ProjectMetadata(public="false", auto_scan="true"))
        assert (await own.create_project(request)).endswith(f"/projects/{name}")
        with pytest.raises(Conflict):
            await own.create_project(request)
        project = await own.get_project(name)
        assert project.metadata is not None
        assert (project.name, project.owner_name, project.repo_count) == (name, user.name, 0)
        assert (project.current_user_role_id, project.metadata.auto_scan) == (Role.PROJECT_ADMIN, "true")
        assert project.project_id is not None
        assert (await own.get_project(project.project_id)).name == name
        assert await own.project_exists(name)
        assert not await own.project_exists(unique("none"))

        assert not await other.project_exists(name)
        with pytest.raises(NotFound):
            await other.get_project(name)
        assert [item.name for item in await other.get_projects(name=name)] == []
        await own.update_project(name, ProjectReq(metadata=ProjectMetadata(public="true")))
        assert [item.name for item in await other.get_projects(name=name)] == [name]
        with pytest.raises(Forbidden):
            await other.delete_project(name)

        await own.set_project_metadata(name, ProjectMetadata(severity="high"))
        assert (await own.get_project_metadata(name)).severity == "high"
        await own.update_project_metadata_entry(name, "severity", {"severity": "low"})
        assert (await own.get_project(name)).metadata.severity == "low"  # type: ignore[union-attr]
        await own.delete_project_metadata_entry(name, "severity")
        assert (await own.get_project_metadata(name)).severity is None

        summary = await own.get_project_summary(name)
        assert (summary.repo_count, summary.project_admin_count) == (0, 1)
        assert (await own.get_project_deletable(name)).deletable
        await own.delete_project(name)
        with pytest.raises(NotFound):
            await own.get_project(name)

    run(scenario())


def test_members(run: Run, harbor: HarborAsyncClient, as_user: As, admin: Api) -> None:
    project, user = admin.create_project("crew"), admin.create_user("member")

    async def scenario() -> None:
        own = as_user(user.name, user.password)
        with pytest.raises(NotFound):
            await own.get_project_members(project)
        await harbor.add_project_member_user(project, user.name, Role.GUEST)
        with pytest.raises(Conflict):
            await harbor.add_project_member_user(project, user.name, Role.GUEST)
        with pytest.raises(NotFound):
            await harbor.add_project_member_user(project, unique("nobody"), Role.GUEST)
        found = await harbor.get_project_members(project, entity_name=user.name)
        assert [(item.entity_name, item.role_name, item.entity_type) for item in found] == [(user.name, "guest", "u")]
        member = member_id(found)
        assert len(await own.get_project_members(project)) == 2
        with pytest.raises(Forbidden):
            await own.remove_project_member(project, member)
        await harbor.update_project_member_role(project, member, RoleRequest(role_id=Role.MAINTAINER))
        assert (await harbor.get_project_member(project, member)).role_id == Role.MAINTAINER
        await harbor.remove_project_member(project, member)
        with pytest.raises(NotFound):
            await own.get_project(project)

    run(scenario())


def member_id(found: list[ProjectMemberEntity]) -> int:
    assert found[0].id is not None
    return found[0].id


def test_robots_of_the_system(run: Run, harbor: HarborAsyncClient, as_user: As, admin: Api) -> None:
    name, project = unique("robot"), admin.create_project("hangar")
    pull = RobotPermission(kind="project", namespace=project, access=[Access(resource="repository", action="pull")])
    outside = RobotPermission(kind="system", namespace="/", access=[Access(resource="user", action="list")])

    async def scenario() -> None:
        request = RobotCreate(name=name, level="system", duration=30, permissions=[pull, outside], disable=False)
        made = await harbor.create_robot(request)
        assert made.name == f"robot${name}"
        assert made.id is not None
        assert made.secret
        found = await harbor.get_robot(made.id)
        assert (found.level, found.duration, found.disable, found.secret) == ("system", 30, False, None)
        assert (found.creator_type, found.creator_ref) == ("local", 1)
        assert {item.namespace for item in found.permissions or []} == {project, "/"}
        assert [item.id for item in await harbor.get_robots(query=f"name=~{name}")] == [made.id]

        robot = as_user(made.name, made.secret)
        assert await robot.get_users()
        with pytest.raises(PreconditionFailed):
            await robot.get_current_user()
        with pytest.raises(Forbidden):
            await robot.get_project(project)

        await harbor.refresh_robot_secret(made.id, NEW_PASSWORD)
        with pytest.raises(Unauthorized):
            await robot.get_users()
        robot = as_user(made.name, NEW_PASSWORD)
        assert await robot.get_users()
        found.disable = True
        await harbor.update_robot(made.id, found)
        with pytest.raises(Unauthorized):
            await robot.get_users()
        await harbor.delete_robot(made.id)
        with pytest.raises(NotFound):
            await harbor.get_robot(made.id)

    run(scenario())


def test_robots_of_a_project_in_the_older_shape(run: Run, harbor: HarborAsyncClient, as_user: As, admin: Api) -> None:
    project, name = admin.create_project("dock"), unique("old")

    async def scenario() -> None:
        access = [Access(resource="/project/1/repository", action="pull")]
        made = await harbor.create_robot_v1(project, RobotCreateV1(name=name, access=access, expires_at=-1))
        assert made.name == f"robot${project}+{name}"
        assert made.id is not None
        assert (await harbor.get_robot_v1(project, made.id)).permissions[0].namespace == project  # type: ignore[index]
        assert [item.id for item in await harbor.get_robots_v1(project)] == [made.id]
        with pytest.raises(NotFound):
            await harbor.get_robot_v1("library", made.id)
        await harbor.delete_robot_v1(project, made.id)

    run(scenario())


def test_repositories_artifacts_and_tags(run: Run, harbor: HarborAsyncClient, send: Send, admin: Api) -> None:
    project = admin.create_project("cargo")
    repository = f"{project}/deep/path"
    image = push_image(send, repository, "v1", seed="one")
    index = push_index(send, repository, "multi", ["amd64", "arm64"])

    async def scenario() -> None:
        (found,) = await harbor.get_repositories(project)
        assert (found.name, found.artifact_count) == (repository, 2)
        await harbor.update_repository(project, "deep/path", Repository(description="What it is"))
        assert (await harbor.get_repository(project, "deep/path")).description == "What it is"
        assert repository in [item.name for item in await harbor.get_repositories(query=f"name=~{project}")]

        artifacts = {item.digest: item for item in await harbor.get_artifacts(project, "deep/path")}
        assert set(artifacts) == {image, index}
        children = artifacts[index].references or []
        assert {child.platform.architecture for child in children if child.platform} == {"amd64", "arm64"}
        one = await harbor.get_artifact(project, "deep/path", "v1")
        assert (one.digest, one.type, [tag.name for tag in one.tags or []]) == (image, "IMAGE", ["v1"])
        assert one.extra_attrs is not None
        assert (one.extra_attrs.root or {})["architecture"] == "amd64"
        assert one.size is not None
        assert one.size > len("one")

        location = await harbor.create_artifact_tag(project, "deep/path", image, tag("v2"))
        assert location.endswith("/tags/v2")
        with pytest.raises(Conflict):
            await harbor.create_artifact_tag(project, "deep/path", image, tag("v2"))
        tags = await harbor.get_artifact_tags(project, "deep/path", image)
        assert {item.name for item in tags} == {"v1", "v2"}
        await harbor.delete_artifact_tag(project, "deep/path", image, "v2")
        with pytest.raises(NotFound):
            await harbor.get_artifact(project, "deep/path", "v2")

        with pytest.raises(PreconditionFailed):
            await harbor.delete_project(project)
        await harbor.delete_artifact(project, "deep/path", index)
        assert [item.digest for item in await harbor.get_artifacts(project, "deep/path", query="base=*")] == [image]
        await harbor.delete_repository(project, "deep/path")
        assert await harbor.get_repositories(project) == []
        await harbor.delete_project(project)

    run(scenario())


def tag(name: str) -> Any:
    from harborapi.models import Tag

    return Tag(name=name)


def test_pages_are_followed(run: Run, harbor: HarborAsyncClient, admin: Api) -> None:
    prefix = unique("many")
    for index in range(7):
        admin.call("POST", "/projects", {"project_name": f"{prefix}-{index}"})

    async def scenario() -> None:
        found = await harbor.get_projects(name=prefix, page_size=3, sort="-name")
        assert [item.name for item in found] == [f"{prefix}-{index}" for index in reversed(range(7))]
        assert len(await harbor.get_projects(name=prefix, page_size=3, limit=4)) == 4

    run(scenario())
