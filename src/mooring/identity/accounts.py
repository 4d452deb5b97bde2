"""Changes of people's accounts that end what the old state opened: each function is a transaction.

Only a system administrator touches an administrator's account, so that the right to manage users is no way to
become one; and one of them always stays.
"""

import re
import secrets

from sqlalchemy import Connection

from mooring.access import epoch, refresh
from mooring.database import locks
from mooring.errors import Invalid, PreconditionFailed
from mooring.identity import users
from mooring.refusals import Reason, Refused

STRONG = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9]).{8,128}", re.DOTALL)
"""Harbor's rule for passwords (src/server/v2.0/handler/user.go, requireValidSecret)."""


def require_strong(password: str) -> str:
    """Raises Invalid."""
    if not STRONG.fullmatch(password):
        raise Invalid("A password has 8 to 128 characters, with an upper-case letter, a lower-case one and a digit.")
    return password


def random_password() -> str:
    """20 characters that `require_strong` takes."""
    password = secrets.token_urlsafe(15)
    return password if STRONG.fullmatch(password) else random_password()


def set_password(connection: Connection, now: int, user_id: int, password_hash: str, *, by_admin: bool) -> None:
    """`by_admin`: whether a system administrator asks, or the user himself. Raises NotFound and Refused."""
    _require_touchable(connection, user_id, by_admin)
    users.change(connection, now, user_id, {"password_hash": password_hash})
    _end_sessions(connection, user_id)


def set_profile(
    connection: Connection, now: int, user_id: int, values: dict[str, str | None], *, by_admin: bool
) -> None:
    """Raises NotFound, Invalid, Conflict and Refused."""
    _require_touchable(connection, user_id, by_admin)
    users.change(connection, now, user_id, values)


def set_admin(connection: Connection, now: int, user_id: int, admin: bool) -> None:
    """Raises NotFound, and PreconditionFailed for the last administrator."""
    if not admin:
        _require_another_admin(connection, user_id)
    users.change(connection, now, user_id, {"system_admin": admin})
    epoch.advance(connection)


def set_disabled(connection: Connection, now: int, user_id: int, disabled: bool) -> None:
    """Raises NotFound, and PreconditionFailed for the last administrator."""
    if disabled:
        _require_another_admin(connection, user_id)
    users.change(connection, now, user_id, {"disabled": disabled})
    _end_sessions(connection, user_id)


def remove(connection: Connection, user_id: int, *, by_admin: bool) -> None:
    """Raises NotFound, Refused, and PreconditionFailed for the last administrator."""
    _require_touchable(connection, user_id, by_admin)
    _require_another_admin(connection, user_id)
    users.remove(connection, user_id)
    _end_sessions(connection, user_id)


def _require_touchable(connection: Connection, user_id: int, by_admin: bool) -> None:
    if users.by_id(connection, user_id)["system_admin"] and not by_admin:
        raise Refused(Reason.NO_PERMISSION, "Only a system administrator may change an administrator's account.")


def _require_another_admin(connection: Connection, user_id: int) -> None:
    # Two administrators who remove each other at once would leave none.
    locks.hold(connection, "administrators")
    user = users.by_id(connection, user_id)
    if user["system_admin"] and not user["disabled"] and users.count_admins(connection) == 1:
        raise PreconditionFailed("This is the last system administrator. Make another one first.")


def _end_sessions(connection: Connection, user_id: int) -> None:
    refresh.revoke_all(connection, f"user:{user_id}")
    epoch.advance(connection)
