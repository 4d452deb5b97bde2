"""Robot accounts: a name, a 256-bit secret kept as a hash, and the permissions that were granted."""

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, select, update

from mooring.cluster.clock import DAY
from mooring.database import rows
from mooring.errors import Conflict, Invalid
from mooring.identity.tables import robots

PREFIX = "robot$"
NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    # 256 random bits need no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def is_chosen(secret_hash: str) -> bool:
    """Whether a person chose the secret, which is then kept as a password is."""
    return secret_hash.startswith("$argon2")


def full_name(name: str, project: str | None) -> str:
    return f"{PREFIX}{project}+{name}" if project else f"{PREFIX}{name}"


def create(
    connection: Connection,
    now: int,
    *,
    name: str,
    secret: str,
    duration_days: int,
    permissions: Sequence[Mapping[str, Any]],
    creator: str,
    project: tuple[int, str] | None = None,
    description: str = "",
    disabled: bool = False,
) -> int:
    """`project` is (id, name) for a robot of a project. Raises Invalid and Conflict."""
    if len(name) > 200 or not NAME.fullmatch(name):
        raise Invalid("A robot's name is made of lower-case letters and digits, with single . _ - between them.")
    whole = full_name(name, project[1] if project else None)
    if by_name(connection, whole) is not None:
        raise Conflict(f"The robot {whole} exists already.")
    row = {
        "name": whole,
        "project_id": project[0] if project else None,
        "description": description,
        "secret_hash": hash_secret(secret),
        "duration_days": duration_days,
        "expires_at": expiry(now, duration_days),
        "disabled": disabled,
        "permissions": list(permissions),
        "creator": creator,
        "created_at": now,
        "updated_at": now,
    }
    return rows.add(connection, robots, row)


def expiry(start: int, duration_days: int) -> int | None:
    """Cluster time at which a robot expires; -1 days means never. Raises Invalid."""
    if duration_days == -1:
        return None
    if not 1 <= duration_days <= 36_500:
        raise Invalid("A robot's duration is a number of days from 1 to 36500, or -1 for ever.")
    return start + duration_days * DAY


_BY_NAME = select(robots).where(robots.c.name == bindparam("name"))


def by_name(connection: Connection, name: str) -> RowMapping | None:
    return connection.execute(_BY_NAME, {"name": name}).mappings().first()


def change(connection: Connection, now: int, robot_id: int, values: Mapping[str, Any]) -> None:
    connection.execute(update(robots).where(robots.c.id == robot_id).values(**values, updated_at=now))
