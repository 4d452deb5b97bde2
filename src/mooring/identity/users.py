"""People's accounts: each function is a transaction."""

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, delete, func, select, update

from mooring.database import rows, selection
from mooring.database.pages import Page, select_page
from mooring.database.selection import Selection
from mooring.errors import Conflict, Invalid, NotFound
from mooring.identity.tables import users

USERNAME = re.compile(r"[^\s\x00-\x1f\x7f,\"~#%$:/\\<>]{1,255}")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+")

FIELDS = {
    "user_id": selection.number(users.c.id),
    "username": selection.text(users.c.username),
    "email": selection.text(users.c.email),
    "realname": selection.text(users.c.realname),
    "comment": selection.text(users.c.comment),
    "sysadmin_flag": selection.flag(users.c.system_admin),
    "creation_time": selection.moment(users.c.created_at),
    "update_time": selection.moment(users.c.updated_at),
}
"""By their names in Harbor's API."""


def create(
    connection: Connection,
    now: int,
    *,
    username: str,
    password_hash: str,
    email: str | None = None,
    realname: str = "",
    comment: str = "",
    system_admin: bool = False,
) -> int:
    """Raises Invalid and Conflict."""
    if not USERNAME.fullmatch(username):
        raise Invalid('A user name has 1 to 255 characters and none of: white space , " ~ # % $ : / \\ < >')
    if email is not None and not EMAIL.fullmatch(email):
        raise Invalid("The e-mail address is not valid.")
    if by_name(connection, username) is not None:
        raise Conflict(f"The user {username} exists already.")
    if email is not None and connection.execute(select(users.c.id).where(users.c.email == email)).first():
        raise Conflict(f"Another user has the e-mail address {email}.")
    row = {
        "username": username,
        "password_hash": password_hash,
        "email": email,
        "realname": realname,
        "comment": comment,
        "system_admin": system_admin,
        "created_at": now,
        "updated_at": now,
    }
    return rows.add(connection, users, row)


_BY_NAME = select(users).where(users.c.username == bindparam("username"))


def by_name(connection: Connection, username: str) -> RowMapping | None:
    return connection.execute(_BY_NAME, {"username": username}).mappings().first()


def by_id(connection: Connection, user_id: int) -> RowMapping:
    """Raises NotFound."""
    found = connection.execute(select(users).where(users.c.id == user_id)).mappings().first()
    if found is None:
        raise NotFound(f"There is no user {user_id}.")
    return found


def change(connection: Connection, now: int, user_id: int, values: Mapping[str, Any]) -> None:
    """Raises NotFound, and Conflict for an e-mail address that another user has."""
    by_id(connection, user_id)
    email = values.get("email")
    if email is not None:
        if not EMAIL.fullmatch(email):
            raise Invalid("The e-mail address is not valid.")
        other = select(users.c.id).where(users.c.email == email, users.c.id != user_id)
        if connection.execute(other).first():
            raise Conflict(f"Another user has the e-mail address {email}.")
    connection.execute(update(users).where(users.c.id == user_id).values(**values, updated_at=now))


def remove(connection: Connection, user_id: int) -> None:
    """Raises NotFound."""
    by_id(connection, user_id)
    connection.execute(delete(users).where(users.c.id == user_id))


def count_admins(connection: Connection) -> int:
    active = select(func.count()).where(users.c.system_admin, ~users.c.disabled)
    return int(connection.execute(active).scalar_one())


def page(connection: Connection, selected: Selection) -> Page:
    """Raises Invalid."""
    return select_page(connection, select(users), selected, FIELDS, [("username", False)], users.c.id)
