"""The control: replicas that share only their storage and database, each with a signing key of its own.

So two cores of a Harbor with different token keys behave. The suite has to see what that does, or it sees nothing.
Run as `python -m tests.faults.broken serve`.
"""

from types import MappingProxyType

from joserfc.jwk import ECKey

from mooring.access import keyring
from mooring.access.keyring import Keyring
from mooring.cli import main

_load = keyring.load
_own: list[Keyring] = []


def own_keyring(connection: object, master_key: object) -> Keyring:
    """A key that is made in this process, and that no other one ever sees."""
    shared = _load(connection, master_key)  # type: ignore[arg-type]
    if not shared.keys:
        return shared
    if not _own:
        _own.append(_made(shared))
    return _own[0]


def _made(shared: Keyring) -> Keyring:
    signer = shared.signer
    key = ECKey.generate_key(keyring.CURVE, private=True)
    mine = keyring.SigningKey(key.thumbprint(), "active", key, signer.created_at, signer.activated_at, None)
    return Keyring(MappingProxyType({mine.kid: mine}))


keyring.load = own_keyring

if __name__ == "__main__":
    main()
