"""Refresh tokens: opaque, kept as hashes, for one subject and one service, revocable."""

import hashlib
import secrets
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from mooring.access.tables import refresh_tokens
from mooring.cluster.clock import DAY
from mooring.database import rows
from mooring.database.rows import Backlog
from mooring.identity.credentials import Account
from mooring.identity.tables import robots, users
from mooring.refusals import Reason, Refused


def issue(connection: Connection, now: int, *, subject: str, service: str, client_id: str, life_days: int) -> str:
    token = secrets.token_urlsafe(32)
    connection.execute(
        insert(refresh_tokens).values(
            token_hash=_hash(token),
            subject=subject,
            service=service,
            client_id=client_id[:255],
            created_at=now,
            used_at=now,
            expires_at=now + life_days * DAY,
        )
    )
    return token


def use(connection: Connection, now: int, token: str, service: str, life_days: int) -> Account:
    """Prove an account by a refresh token and prolong its life. Raises Refused."""
    named = select(refresh_tokens).where(refresh_tokens.c.token_hash == _hash(token))
    row = connection.execute(named.with_for_update()).first()
    if row is None or row.service != service:
        raise Refused(Reason.BAD_CREDENTIALS, "The refresh token is unknown or was revoked. Log in again.")
    if row.expires_at < now:
        raise Refused(Reason.BAD_CREDENTIALS, "The refresh token has expired. Log in again.")
    account = _account(connection, row, now)
    connection.execute(
        update(refresh_tokens)
        .where(refresh_tokens.c.token_hash == row.token_hash)
        .values(used_at=now, expires_at=now + life_days * DAY)
    )
    return account


def revoke_all(connection: Connection, subject: str) -> int:
    """Called when a password or secret changes, and when an account goes."""
    return connection.execute(delete(refresh_tokens).where(refresh_tokens.c.subject == subject)).rowcount


def backlog(connection: Connection, now: int) -> Backlog:
    """What `sweep` would take."""
    return rows.backlog(connection, refresh_tokens.c.expires_at, now)


def sweep(connection: Connection, now: int) -> None:
    connection.execute(delete(refresh_tokens).where(refresh_tokens.c.expires_at < now))


def _account(connection: Connection, row: Row[Any], now: int) -> Account:
    kind, _, number = row.subject.partition(":")
    table = users if kind == "user" else robots
    found = connection.execute(select(table).where(table.c.id == int(number))).mappings().first()
    if found is None:
        raise Refused(Reason.REVOKED)
    name = found["username"] if kind == "user" else found["name"]
    if found["disabled"]:
        raise Refused(Reason.DISABLED, subject=name)
    if kind == "robot" and found["expires_at"] is not None and found["expires_at"] <= now:
        raise Refused(Reason.CREDENTIALS_EXPIRED, subject=name)
    return Account(row.subject, name)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
