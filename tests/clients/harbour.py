"""The people and projects that the clients' tests are about."""

from dataclasses import dataclass

from tests.api import Api, Robot, Role, User
from tests.server import Registry


@dataclass(frozen=True)
class Harbour:
    """A registry with a private and a public project, and a person for each part a test needs played."""

    registry: Registry
    admin: Api
    private: str
    public: str
    maintainer: User
    developer: User
    guest: User
    outsider: User

    def expire(self, robot: Robot) -> None:
        """Let a robot's life end now. The API counts it in days, so this is written where it is kept."""
        assert self.registry.execute(f"UPDATE robots SET expires_at = 1 WHERE id = {robot.id}") == 1


def open_harbour(registry: Registry, admin: Api) -> Harbour:
    private, public = admin.create_project("private"), admin.create_project("public", public=True)
    maintainer, developer, guest = (admin.create_user(name) for name in ("maintainer", "developer", "guest"))
    for project in (private, public):
        admin.add_member(project, maintainer, Role.MAINTAINER)
        admin.add_member(project, developer, Role.DEVELOPER)
        admin.add_member(project, guest, Role.GUEST)
    outsider = admin.create_user("outsider")
    return Harbour(registry, admin, private, public, maintainer, developer, guest, outsider)
