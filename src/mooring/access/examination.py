"""What a token says, and which replicas would take it: judged by the code that judges requests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from mooring.access import keyring, tokens
from mooring.access.caller import AUDIENCE
from mooring.access.keyring import Keyring
from mooring.access.tokens import AccessToken
from mooring.cluster import heartbeat
from mooring.cluster.clock import SECOND
from mooring.cluster.heartbeat import SERVER, Replica
from mooring.cluster.master_key import MasterKey
from mooring.observe.denials.record import facts
from mooring.refusals import Reason, Refused


@dataclass(frozen=True)
class Opinion:
    """What one replica would do with a token."""

    replica: str
    takes: bool
    reason: str
    text: str


@dataclass(frozen=True)
class Examined:
    seen: Mapping[str, Any]
    """What it says of itself (`tokens.seen`), believed or not."""
    key_state: str
    """Of the key that it names: pending, active, retiring, or empty for one that is not in the keyring."""
    time: int
    """Seconds of cluster time."""
    token: AccessToken | None
    """Where it is sound."""
    opinions: Sequence[Opinion]


def examine(connection: Connection, master_key: MasterKey, text: str, now: int) -> Examined:
    """`now` is microseconds of cluster time."""
    ring = keyring.load(connection, master_key)
    seen = tokens.seen(text)
    key = ring.keys.get(str(seen.get("kid", "")))
    judged = _judged(text, ring, now // SECOND)
    living = [each for each in heartbeat.known(connection) if each.alive(now) and each.pulse.role == SERVER]
    return Examined(
        # Somebody made it up, maybe: it goes to a terminal.
        seen=facts(seen),
        key_state=key.state if key else "",
        time=now // SECOND,
        token=judged if isinstance(judged, AccessToken) else None,
        opinions=[_opinion(each, judged, str(seen.get("kid", ""))) for each in living],
    )


def _judged(text: str, ring: Keyring, now: int) -> AccessToken | Refused:
    """As `Callers` does it: a replica that lacks a key reads the keyring again before it refuses."""
    try:
        key = ring.keys.get(tokens.key_id(text))
        if key is None:
            return Refused(Reason.UNKNOWN_KID)
        return tokens.verify(text, key, audience=AUDIENCE, now=now)
    except Refused as refused:
        return refused


def _opinion(replica: Replica, judged: AccessToken | Refused, kid: str) -> Opinion:
    holds = kid in replica.pulse.keys
    if replica.pulse.failed or not replica.pulse.ready:
        why = "; ".join(f"{check}: {told}" for check, told in replica.pulse.failed.items())
        return Opinion(replica.name, False, "not_ready", f"It is not ready and answers 503. {why}".strip())
    if isinstance(judged, AccessToken):
        told = "" if holds else "It has not loaded the key yet, and will at the first token that names it."
        return Opinion(replica.name, True, "", told)
    if judged.reason is Reason.UNKNOWN_KID and holds:
        told = "It says that it holds this key, which is not in the database: no other replica takes what it signs."
        return Opinion(replica.name, True, "foreign_key", told)
    return Opinion(replica.name, False, judged.reason, judged.text)
