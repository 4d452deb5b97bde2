"""The keys that sign tokens, kept in the database so that no two replicas can hold different ones.

A key is pending until every live replica has acknowledged loading it, then active (it signs), then retiring
(it verifies until the last token that it signed has expired), then gone.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from joserfc.jwk import ECKey
from sqlalchemy import Connection, delete, insert, select, update

from mooring.access.tables import signing_key_acknowledgements as acknowledgements
from mooring.access.tables import signing_keys
from mooring.cluster import identity
from mooring.cluster.clock import SECOND
from mooring.cluster.heartbeat import require_holding, serving
from mooring.cluster.master_key import MasterKey
from mooring.database import locks, rows
from mooring.errors import Conflict
from mooring.settings import LONGEST_TOKEN_LIFE

ALGORITHM = "ES256"
CURVE = "P-256"
SIGNING_SECONDS = 60
"""A ring that was loaded so long ago signs nothing any more: its key may be about to go."""

GRACE = 2 * SIGNING_SECONDS * SECOND
"""A replica may sign with the old key until it has loaded the change, and tokens are believed a little longer."""


@dataclass(frozen=True)
class SigningKey:
    kid: str
    state: str
    key: ECKey
    created_at: int
    activated_at: int | None
    expires_at: int | None

    def public(self) -> dict[str, Any]:
        return {**self.key.as_dict(private=False), "kid": self.kid, "alg": ALGORITHM, "use": "sig"}


@dataclass(frozen=True)
class Keyring:
    keys: Mapping[str, SigningKey]

    @property
    def signs(self) -> bool:
        return any(key.state == "active" for key in self.keys.values())

    @property
    def signer(self) -> SigningKey:
        """The newest active key. Raises LookupError before there is one."""
        active = [key for key in self.keys.values() if key.state == "active"]
        if not active:
            raise LookupError("the keyring has no active key")
        return max(active, key=lambda key: key.activated_at or 0)

    def jwks(self) -> dict[str, Any]:
        return {"keys": [key.public() for key in self.keys.values()]}


def load(connection: Connection, master_key: MasterKey) -> Keyring:
    found = connection.execute(select(signing_keys).order_by(signing_keys.c.created_at))
    return Keyring(MappingProxyType({row.kid: _opened(row, master_key) for row in found}))


def create(connection: Connection, master_key: MasterKey, now: int) -> str:
    """Add a pending key; answers its kid."""
    hold(connection)
    key = ECKey.generate_key(CURVE, private=True)
    kid = key.thumbprint()
    private = json.dumps(key.as_dict(private=True)).encode()
    connection.execute(
        insert(signing_keys).values(
            kid=kid,
            algorithm=ALGORITHM,
            public_key=json.dumps(key.as_dict(private=False)),
            sealed_private_key=identity.sealing(connection, master_key).seal(private, _purpose(kid)),
            state="pending",
            created_at=now,
        )
    )
    return kid


def acknowledge(connection: Connection, replica: str, keyring: Keyring) -> None:
    """Note that this replica verifies with each of these keys."""
    known = select(acknowledgements.c.kid).where(acknowledgements.c.replica == replica)
    new = set(keyring.keys) - set(connection.scalars(known))
    # A key may have gone since this ring was loaded.
    present = connection.scalars(select(signing_keys.c.kid).where(signing_keys.c.kid.in_(new)))
    for kid in sorted(present):
        rows.add_if_new(connection, acknowledgements, {"kid": kid, "replica": replica})


def unacknowledged(connection: Connection, replica: str) -> bool:
    known = select(acknowledgements.c.kid).where(acknowledgements.c.replica == replica)
    return (
        connection.execute(select(signing_keys.c.kid).where(signing_keys.c.kid.not_in(known)).limit(1)).first()
        is not None
    )


def hold(connection: Connection) -> None:
    """Let nobody else look at the keyring in order to change it, until this transaction ends."""
    locks.hold(connection, "keyring")


def advance(connection: Connection, now: int) -> None:
    """Move each key on: pending to active once all live replicas have it, then the older ones out. Microseconds."""
    hold(connection)
    live = serving(connection, now)
    pending = select(signing_keys.c.kid).where(signing_keys.c.state == "pending")
    for kid in list(connection.scalars(pending.order_by(signing_keys.c.created_at))):
        known = select(acknowledgements.c.replica).where(acknowledgements.c.kid == kid)
        if live <= set(connection.scalars(known)):
            _activate(connection, kid, now)
    connection.execute(delete(signing_keys).where(signing_keys.c.state == "retiring", signing_keys.c.expires_at < now))


def replace_master_key(connection: Connection, master_key: MasterKey) -> int:
    """Seal all that was sealed with the previous master key with the current one; answers how many keys that were.

    All replicas can open either before, and nobody makes a key meanwhile, so that none of them notices. Raises
    PreconditionFailed where one can't, Conflict when it was done before, Foreign when neither key is the database's.
    """
    hold(connection)
    old, new = identity.sealing(connection, master_key).fingerprints[0], master_key.fingerprints[0]
    if old == new:
        raise Conflict("The database is sealed with this master key already. Nothing was changed.")
    require_holding(connection, new)
    found = connection.execute(select(signing_keys.c.kid, signing_keys.c.sealed_private_key)).all()
    for kid, sealed in found:
        anew = master_key.seal(master_key.open(sealed, _purpose(kid)), _purpose(kid))
        connection.execute(update(signing_keys).where(signing_keys.c.kid == kid).values(sealed_private_key=anew))
    identity.put_master_key(connection, master_key)
    return len(found)


def rotation_due(connection: Connection, now: int, key_life: int) -> bool:
    newest = connection.execute(
        select(signing_keys.c.created_at).order_by(signing_keys.c.created_at.desc()).limit(1)
    ).scalar()
    return newest is None or newest + key_life < now


def _activate(connection: Connection, kid: str, now: int) -> None:
    active = signing_keys.c.state == "active"
    # The longest life that a token can have been given, whatever the setting is now: it may just have been changed.
    expiry = now + LONGEST_TOKEN_LIFE * SECOND + GRACE
    connection.execute(update(signing_keys).where(active).values(state="retiring", retired_at=now, expires_at=expiry))
    connection.execute(update(signing_keys).where(signing_keys.c.kid == kid).values(state="active", activated_at=now))


def _opened(row: Any, master_key: MasterKey) -> SigningKey:
    private = json.loads(master_key.open(row.sealed_private_key, _purpose(row.kid)))
    return SigningKey(
        kid=row.kid,
        state=row.state,
        key=ECKey.import_key(private),
        created_at=row.created_at,
        activated_at=row.activated_at,
        expires_at=row.expires_at,
    )


def _purpose(kid: str) -> str:
    return f"signing key {kid}"
