"""The registry's own account for pushing to itself: a robot for one round, in a project of its own.

Its secret is made for the round and kept nowhere but as every robot's is, so that there is none to lose. That whoever
issues the token finds the new robot at once is a part of what is proven.
"""

from secrets import token_hex
from typing import Final

from sqlalchemy import Connection, delete, select

from mooring.access import epoch
from mooring.cluster.clock import SECOND
from mooring.database import rows
from mooring.egress.credentials import Credentials
from mooring.identity import robots
from mooring.identity.tables import robots as robots_table
from mooring.projects.tables import projects

PROJECT: Final = "mooring-probe"
REPOSITORY: Final = f"{PROJECT}/push"
SYSTEM: Final = "mooring"
STALE: Final = 3600 * SECOND
"""Microseconds after which a robot is one whose process died over its round."""


def open_account(connection: Connection, now: int) -> Credentials:
    """A new robot that may push, pull and delete in the probe's project, which is made where it is missing."""
    fresh = {"name": PROJECT, "public": False, "owner_id": None, "owner_name": SYSTEM, "metadata": {}}
    rows.add_if_new(connection, projects, {**fresh, "created_at": now, "updated_at": now})
    project_id = int(connection.execute(select(projects.c.id).where(projects.c.name == PROJECT)).scalar_one())
    left = (robots_table.c.project_id == project_id) & (robots_table.c.creator == SYSTEM)
    connection.execute(delete(robots_table).where(left, robots_table.c.created_at < now - STALE))
    secret = robots.new_secret()
    access = [{"resource": "repository", "action": action} for action in ("delete", "pull", "push")]
    name = f"probe-{token_hex(6)}"
    robots.create(
        connection,
        now,
        name=name,
        secret=secret,
        duration_days=1,
        permissions=[{"kind": "project", "namespace": PROJECT, "access": access}],
        creator=SYSTEM,
        project=(project_id, PROJECT),
        description="Made by the registry for one push of its own.",
    )
    epoch.advance(connection)
    return Credentials(robots.full_name(name, PROJECT), secret, "the registry itself")


def close_account(connection: Connection, name: str) -> None:
    connection.execute(delete(robots_table).where(robots_table.c.name == name))
    epoch.advance(connection)
