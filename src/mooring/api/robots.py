"""Robot accounts of the system and of projects. Their secrets are told once, when they are made."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Request, Response

from mooring.access.caller import Caller
from mooring.access.permissions import Permission
from mooring.api import routing
from mooring.api.access import Access, InProject, Level, OfRobot
from mooring.api.answers import located
from mooring.api.fields import LARGEST
from mooring.api.paging import Whole
from mooring.api.robot_shapes import (
    ChangedRobot,
    NewProjectRobot,
    NewRobot,
    NewSecret,
    Robot,
    RobotMade,
    made,
    shape,
)
from mooring.api.visit import LoggedIn, Visit, in_project, in_system, require_in_system
from mooring.database.selection import Exact, Selection
from mooring.errors import Invalid
from mooring.identity import accounts
from mooring.identity.robots import full_name, hash_secret, new_secret
from mooring.observe.audit.log import Naming
from mooring.projects import robots

CREATE, READ, LIST, UPDATE, DELETE = (
    Permission("robot", action) for action in ("create", "read", "list", "update", "delete")
)
PROJECT = "/projects/{project_name_or_id}/robots"

RobotId = Annotated[int, Path(ge=1, le=LARGEST)]

router = routing.router("robot")


@dataclass(frozen=True)
class OfNewRobot(Access):
    """Where the robot will belong: the body says it."""

    level = Level.ROBOT

    async def __call__(self, request: Request, caller: LoggedIn, robot: NewRobot) -> Visit:
        if robot.level == "system":
            return await _in_system(request, caller, self.wanted())
        if not robot.permissions:
            raise Invalid("A robot of a project has permissions in it.")
        return await in_project(request, caller, robot.permissions[0].namespace, self.wanted())


@dataclass(frozen=True)
class OfListedRobots(Access):
    """`q=Level=project,ProjectID=1` asks for those of a project; otherwise they are the system's, as in Harbor."""

    level = Level.ROBOT

    async def __call__(self, request: Request, caller: LoggedIn, listing: Whole) -> Visit:
        selected = listing.selected
        match selected.test_of("level"), selected.test_of("project_id"):
            case (None | Exact("system"), None | Exact("0")):
                return await _in_system(request, caller, self.wanted())
            case (Exact("project"), Exact(number)) if number.isascii() and number.isdigit() and len(number) < 19:
                return await in_project(request, caller, int(number), self.wanted())
        raise Invalid("Ask with q=Level=project,ProjectID=NUMBER, or q=Level=system.")


@router.get("/robots")
async def list_robots(listing: Whole, visit: Annotated[Visit, Depends(OfListedRobots(LIST))]) -> list[Robot]:
    return await _listed(listing, visit, listing.selected.without("level", "project_id"))


@router.post("/robots", status_code=201)
async def create_robot(
    request: Request, response: Response, robot: NewRobot, visit: Annotated[Visit, Depends(OfNewRobot(CREATE))]
) -> RobotMade:
    return await _created(request, response, robot, visit)


@router.get("/robots/{robot_id}")
async def get_robot(robot_id: RobotId, visit: Annotated[Visit, Depends(OfRobot(READ))]) -> Robot:
    return shape(await visit.parts.database.read(robots.find, robot_id))


@router.put("/robots/{robot_id}", response_class=Response)
async def update_robot(
    robot_id: RobotId, robot: ChangedRobot, visit: Annotated[Visit, Depends(OfRobot(UPDATE))]
) -> Response:
    return await _updated(robot_id, robot, visit)


@router.patch("/robots/{robot_id}")
async def renew_secret(
    robot_id: RobotId, asked: NewSecret, visit: Annotated[Visit, Depends(OfRobot(UPDATE))]
) -> NewSecret:
    """A new random secret, which the answer tells; or the given one."""
    return await _renewed(robot_id, asked, visit)


@router.delete("/robots/{robot_id}", response_class=Response)
async def delete_robot(robot_id: RobotId, visit: Annotated[Visit, Depends(OfRobot(DELETE))]) -> Response:
    await visit.parts.database.write(visit.noted("delete", "robot", _named(robot_id), robots.remove), robot_id)
    return Response()


@router.get(PROJECT)
async def list_project_robots(listing: Whole, visit: Annotated[Visit, Depends(InProject(LIST))]) -> list[Robot]:
    return await _listed(listing, visit, listing.selected)


@router.post(PROJECT, status_code=201)
async def create_project_robot(
    request: Request,
    response: Response,
    robot: NewProjectRobot,
    visit: Annotated[Visit, Depends(InProject(CREATE))],
) -> RobotMade:
    asked = robot.as_new_robot(visit.project, visit.parts.clock.seconds())
    return await _created(request, response, asked, visit)


@router.get(f"{PROJECT}/{{robot_id}}")
async def get_project_robot(robot_id: RobotId, visit: Annotated[Visit, Depends(InProject(READ))]) -> Robot:
    return shape(await visit.parts.database.read(robots.find, robot_id, visit.project_id))


@router.put(f"{PROJECT}/{{robot_id}}", response_class=Response)
async def update_project_robot(
    robot_id: RobotId, robot: ChangedRobot, visit: Annotated[Visit, Depends(InProject(UPDATE))]
) -> Response:
    await visit.parts.database.read(robots.find, robot_id, visit.project_id)
    return await _updated(robot_id, robot, visit)


@router.patch(f"{PROJECT}/{{robot_id}}")
async def renew_project_secret(
    robot_id: RobotId, asked: NewSecret, visit: Annotated[Visit, Depends(InProject(UPDATE))]
) -> NewSecret:
    await visit.parts.database.read(robots.find, robot_id, visit.project_id)
    return await _renewed(robot_id, asked, visit)


@router.delete(f"{PROJECT}/{{robot_id}}", response_class=Response)
async def delete_project_robot(robot_id: RobotId, visit: Annotated[Visit, Depends(InProject(DELETE))]) -> Response:
    await visit.parts.database.read(robots.find, robot_id, visit.project_id)
    await visit.parts.database.write(visit.noted("delete", "robot", _named(robot_id), robots.remove), robot_id)
    return Response()


async def _in_system(request: Request, caller: Caller, wanted: Permission) -> Visit:
    visit = await in_system(request, caller)
    require_in_system(visit, wanted)
    return visit


async def _listed(listing: Whole, visit: Visit, selected: Selection) -> list[Robot]:
    page = await visit.parts.database.read(robots.page, visit.standing.project_id, selected)
    return listing.answer(page, shape)


async def _created(request: Request, response: Response, robot: NewRobot, visit: Visit) -> RobotMade:
    secret = new_secret()
    row = await visit.parts.database.write(
        visit.noted("create", "robot", full_name(robot.name, visit.project or None), robots.create),
        visit.parts.clock.now(),
        giver=visit.subject,
        name=robot.name,
        project=(visit.project_id, visit.project) if robot.level == "project" else None,
        duration_days=robot.duration,
        entries=[entry.kept() for entry in robot.permissions],
        secret=secret,
        description=robot.description or "",
        disabled=robot.disable or False,
    )
    response.headers.update(located(request, row["id"]))
    return made(row, secret)


async def _updated(robot_id: int, robot: ChangedRobot, visit: Visit) -> Response:
    known = await visit.parts.database.read(robots.find, robot_id)
    robot.require_same(known)
    values = {"description": robot.description, "disabled": robot.disable}
    await visit.parts.database.write(
        visit.noted("update", "robot", _named(robot_id), robots.change),
        visit.parts.clock.now(),
        robot_id,
        giver=visit.subject,
        entries=[entry.kept() for entry in robot.permissions] if robot.permissions else None,
        values={name: value for name, value in values.items() if value is not None},
        duration_days=robot.duration,
    )
    return Response()


async def _renewed(robot_id: int, asked: NewSecret, visit: Visit) -> NewSecret:
    parts = visit.parts
    renew = visit.noted("update", "robot", _named(robot_id), robots.set_secret, "a new secret")
    if asked.secret:
        hashed = await parts.passwords.hash(accounts.require_strong(asked.secret))
        await parts.database.write(renew, parts.clock.now(), robot_id, giver=visit.subject, secret_hash=hashed)
        return NewSecret(secret="")
    secret = new_secret()
    hashed = hash_secret(secret)
    await parts.database.write(renew, parts.clock.now(), robot_id, giver=visit.subject, secret_hash=hashed)
    return NewSecret(secret=secret)


def _named(robot_id: int) -> Naming:
    return lambda connection: str(robots.find(connection, robot_id)["name"])
