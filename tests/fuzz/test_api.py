"""The management API, fed with what its own OpenAPI document allows and forbids: no 500, and answers as documented."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from mooring.api.app import openapi
from tests import server as servers
from tests.api import Api
from tests.server import Server

EXAMPLES: Final = 10
"""For each of some sixty operations: a minute in all."""

schema = schemathesis.openapi.from_dict(openapi())


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own: what is sent here deletes whatever has a small number."""
    running = servers.start(tmp_path_factory.mktemp("fuzz") / "data", workers=1)
    yield running
    running.kill()


@pytest.fixture(scope="module")
def known(target: Server) -> dict[str, Any]:
    """What stands for the parameters of paths; random ones meet nothing."""
    admin = Api(target.url, target.username, target.password)
    project, user = admin.create_project("fuzz"), admin.create_user("fuzz")
    robot = admin.create_robot(project)
    (found,) = admin.call("GET", "/users", query={"username": user.name}).json
    return {
        "project_name_or_id": project,
        "project_name": project,
        "repository_name": "app",
        "reference": "v1",
        "tag_name": "v1",
        "meta_name": "severity",
        "user_id": found["user_id"],
        "robot_id": robot.id,
        "mid": 1,
    }


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
    derandomize=True,
)
def test_api(case: "Case[Any]", target: Server, known: dict[str, Any]) -> None:
    """As the administrator. Half of the requests go to what is there."""
    if case.path_parameters and len(repr((case.query, case.body))) % 2:
        case.path_parameters.update({name: known[name] for name in case.path_parameters if name in known})
    case.call_and_validate(
        base_url=f"{target.url}/api/v2.0",
        auth=(target.username, target.password),
        checks=[not_a_server_error, content_type_conformance, response_schema_conformance],
    )
