"""Who somebody is, proven by a name and a password or a robot's secret."""

import asyncio
import hmac
import re
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping

from mooring.cluster.clock import Clock
from mooring.database import Database, short
from mooring.identity import robots, throttle, users
from mooring.identity.passwords import PasswordChecker
from mooring.refusals import Reason, Refused

WAITING_AT_ONCE = 1000
ROBOT = re.compile(r"robot(\$[a-z0-9._-]{1,100})?(\+[a-z0-9._-]{1,100})?")


@dataclass(frozen=True)
class Account:
    """Somebody whose credentials were proven."""

    subject: str
    """`user:ID` or `robot:ID`."""
    name: str


class Credentials:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self.passwords = PasswordChecker()
        self._waiting = 0

    async def prove(self, name: str, secret: str, source: str) -> Account:
        """Raises Refused(bad_credentials, locked, disabled, credentials_expired); never a refusal for an outage."""
        if name.startswith(robots.PREFIX):
            robot = await self._database.read(find_robot, name)
            if not await self._fits(robot, name, secret) or robot is None:
                raise await self._wrong(name, source, known=robot is not None)
            return self._robot(robot)
        user = await self._database.read(find_user, name)
        password_hash = user["password_hash"] if user else None
        if not await self.passwords.matches(secret, password_hash, name) or user is None:
            raise await self._wrong(name, source, known=user is not None)
        if user["disabled"]:
            raise Refused(Reason.DISABLED, subject=name)
        return Account(f"user:{user['id']}", name)

    async def _fits(self, robot: RowMapping | None, name: str, secret: str) -> bool:
        """A wrong secret takes as long for a robot that is not there as for one whose secret a person chose."""
        if robot is not None and hmac.compare_digest(robot["secret_hash"], robots.hash_secret(secret)):
            return True
        chosen = robot is not None and robots.is_chosen(robot["secret_hash"])
        return await self.passwords.matches(secret, robot["secret_hash"] if robot and chosen else None, name)

    def _robot(self, robot: RowMapping) -> Account:
        if robot["disabled"]:
            raise Refused(Reason.DISABLED, subject=robot["name"])
        if robot["expires_at"] is not None and robot["expires_at"] <= self._clock.now():
            raise Refused(Reason.CREDENTIALS_EXPIRED, subject=robot["name"])
        return Account(f"robot:{robot['id']}", robot["name"])

    async def _wrong(self, name: str, source: str, *, known: bool) -> Refused:
        failures = await self._database.write(throttle.note_failure, self._clock.now(), source, name)
        if self._waiting < WAITING_AT_ONCE:
            self._waiting += 1
            try:
                await asyncio.sleep(throttle.delay(failures))
            finally:
                self._waiting -= 1
        return Refused(
            Reason.LOCKED if throttle.locked(failures) else Reason.BAD_CREDENTIALS,
            subject=name if known else veiled(name),
            facts={"account_exists": known, "failures": failures},
        )


@short
def find_user(connection: Connection, name: str) -> RowMapping | None:
    return users.by_name(connection, name) if _storable(name) else None


@short
def find_robot(connection: Connection, name: str) -> RowMapping | None:
    return robots.by_name(connection, name) if _storable(name) else None


def veiled(name: str) -> str:
    """What is told of a name that nobody has: people type their password where their name belongs.

    A robot's stays whole, also one of which a shell ate the part after the `$`.
    """
    return name if ROBOT.fullmatch(name) else f"{name[:2]}…"


def _storable(name: str) -> bool:
    """PostgreSQL takes no NUL, not even to look for it."""
    return "\0" not in name
