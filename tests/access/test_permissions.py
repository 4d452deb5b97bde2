"""The permission table itself, held against what Harbor's roles may do (goharbor/harbor, rbac_role.go)."""

import itertools

import pytest

from mooring.access.permissions import EVERYTHING, PUBLIC, ROLES, SCOPE_ACTIONS, TABLE, Permission, Role

FROM_MOST_TO_LEAST = (Role.PROJECT_ADMIN, Role.MAINTAINER, Role.DEVELOPER, Role.GUEST, Role.LIMITED_GUEST, PUBLIC)
REGISTRY = {
    "pull": [Role.PROJECT_ADMIN, Role.MAINTAINER, Role.DEVELOPER, Role.GUEST, Role.LIMITED_GUEST, PUBLIC],
    "push": [Role.PROJECT_ADMIN, Role.MAINTAINER, Role.DEVELOPER],
    "delete": [Role.PROJECT_ADMIN, Role.MAINTAINER],
}
"""Written down once more: what `/v2` guards must not move by a slip in the table."""


def test_each_role_may_do_all_that_a_lesser_one_may() -> None:
    for more, less in itertools.pairwise(FROM_MOST_TO_LEAST):
        assert ROLES[less] < ROLES[more], (less, more)


def test_the_numbers_of_the_roles_are_harbors() -> None:
    names = {1: "projectAdmin", 2: "developer", 3: "guest", 4: "maintainer", 5: "limitedGuest"}
    assert {role.value: role.harbor_name for role in Role} == names


@pytest.mark.parametrize("action", REGISTRY)
def test_who_may_use_the_registry(action: str) -> None:
    assert [role for role in FROM_MOST_TO_LEAST if SCOPE_ACTIONS[action] in ROLES[role]] == REGISTRY[action]


def test_the_scopes_of_tokens_are_these_and_no_other() -> None:
    assert set(SCOPE_ACTIONS) == set(REGISTRY)


@pytest.mark.parametrize("resource", ["member", "robot", "project", "metadata"])
def test_only_an_administrator_of_a_project_changes_who_may_what(resource: str) -> None:
    changes = {Permission(resource, action) for action in ("create", "update", "delete")} & set(TABLE)
    assert len(changes) == (2 if resource == "project" else 3), "who creates a project has no role in it yet"
    for change in changes:
        assert [role for role in FROM_MOST_TO_LEAST if change in ROLES[role]] == [Role.PROJECT_ADMIN], change


def test_everybody_at_large_only_reads() -> None:
    assert {permission.action for permission in ROLES[PUBLIC]} == {"read", "list", "pull"}


def test_every_row_is_used_and_every_letter_is_known() -> None:
    assert set(TABLE) == EVERYTHING
    assert all(set(letters) <= set("AMDGLp") for letters in TABLE.values())
    assert all("A" in letters for letters in TABLE.values())
