"""What happened, why, and what to do, in words: from a row of the denial log and the keyring as it is now."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mooring.access.caller import AUDIENCE
from mooring.access.tokens import ISSUER
from mooring.cluster.clock import SECOND, rfc3339
from mooring.refusals import Reason

PAGE = "docs/refusals.md"

REMEDIES: Mapping[Reason, str] = {
    Reason.AUTHENTICATION_REQUIRED: "Log in: docker login. In CI, look whether the job's step that logs in ran under "
    "the same user and HOME as the one that pushes. If a login is there, something on the way drops the Authorization "
    "header.",
    Reason.BAD_CREDENTIALS: "Log in again. A robot's name has a dollar sign: -u 'robot$team+ci' in single quotes, and "
    "$$ in files that double it (Compose, Makefiles).",
    Reason.LOCKED: "Find the job with the old password: mooring denials --reason bad_credentials has its address. Then "
    "wait five minutes, or log in with the right password.",
    Reason.DISABLED: 'mooring user enable NAME, or for a robot PUT /api/v2.0/robots/ID with {"disable": false}.',
    Reason.CREDENTIALS_EXPIRED: 'PUT /api/v2.0/robots/ID with a longer life, such as {"duration": 180}: days from the '
    "day it was made, -1 for ever. Its secret stays.",
    Reason.MALFORMED: "If a common client gets it, look at what lies between: a proxy that adds its own header, or "
    "cuts long ones.",
    Reason.UNKNOWN_KID: "Get a new token: log in again. If it keeps coming, two registries answer at one address, or a "
    "database was restored from before the last rotation while clients kept newer tokens (that ends with the tokens' "
    "life).",
    Reason.BAD_SIGNATURE: "Get a new token. More than a few are worth a look at who sends them: "
    "mooring denials --reason bad_signature.",
    Reason.EXPIRED: "Usually none. A script that gets its token once must get it again. Some clients keep one token "
    "for a long push: give token_life_seconds more.",
    Reason.NOT_YET_VALID: "Put the clock right, keep it so (chrony or systemd-timesyncd), and log in again.",
    Reason.WRONG_AUDIENCE: "Ask for the token where the challenge says: its realm and service.",
    Reason.WRONG_ISSUER: "Nobody but this registry should sign with its keys. Rotate them (mooring keys rotate) and "
    "find out who does.",
    Reason.REVOKED: "Log in as somebody who is there.",
    Reason.NO_PERMISSION: "A project admin gives the person a role that may: pushing takes developer, deleting "
    "maintainer. A robot gets the pair by PUT /api/v2.0/robots/ID. Look at the name, too: the project is what comes "
    "before the first slash. A change holds within two seconds, without a new login.",
    Reason.NO_SUCH_PROJECT: 'Make it (POST /api/v2.0/projects with {"project_name": "nosuch"}), or push to one that is '
    "there.",
}
"""As the page has them, under the reason's heading."""


@dataclass(frozen=True)
class Explanation:
    happened: Sequence[tuple[str, str]]
    """Labels and what stands beside them."""
    why: Sequence[str]
    remedy: str
    read: str


def explain(row: Mapping[Any, Any], keys: Mapping[str, str], now: int) -> Explanation:
    """`keys` are the states of those in the keyring, by kid; `now` is microseconds of cluster time."""
    reason = row["reason"]
    remedy = REMEDIES.get(reason, "")
    return Explanation(list(_happened(row, now)), list(_why(row, keys)), remedy, f"{PAGE}#{reason}")


def _happened(row: Mapping[Any, Any], now: int) -> Iterator[tuple[str, str]]:
    yield "when", f"{rfc3339(row['at'])}, {span(now - row['at'])} ago"
    if row["occurrences"] > 1:
        yield "how often", f"{row['occurrences']} times until {rfc3339(row['last_at'])}; told is the first one"
    if row["path"]:
        yield "request", f"{row['method']} {row['path']}, answered {row['status']}"
    yield "account", row["subject"] or "nobody"
    if row["repository"]:
        yield "wanted", f"{row['action'] or 'something'} on {row['repository']}"
    if row["client"]:
        yield "from", f"{row['client']} {row['user_agent']}".strip()
    yield "replica", row["replica"]


def _why(row: Mapping[Any, Any], keys: Mapping[str, str]) -> Iterator[str]:
    facts: Mapping[str, Any] = row["facts"]
    yield from _of_account(row, facts)
    if "kid" in facts:
        state = keys.get(str(facts["kid"]))
        now_is = f"which is {state} in the keyring now" if state else "which is not in the keyring now"
        yield f"The token names the key {facts['kid']}, {now_is}."
    if row["reason"] == Reason.BAD_SIGNATURE:
        yield "Whoever made the token does not have that key, or the token was changed on its way."
    yield from _of_claims(row, facts)
    yield from _of_times(row["reason"], facts)
    if "may" in facts:
        role = f", by the role {facts['role']}" if facts.get("role") else ""
        yield f"Rights in this project: {', '.join(facts['may']) or 'none'}{role}."
    if facts.get("project_exists") is False:
        yield "There was no such project."
    if facts.get("granted"):
        yield f"The token was issued for {' '.join(facts['granted'])}."


def _of_account(row: Mapping[Any, Any], facts: Mapping[str, Any]) -> Iterator[str]:
    if "account_exists" in facts:
        yield f"There {'was an' if facts['account_exists'] else 'was no'} account of this name."
    if facts.get("account_exists") is False and row["subject"].startswith("robot") and "$" not in row["subject"]:
        yield "It looks like a robot's whose part after the dollar sign a shell took for a variable."
    if "failures" in facts:
        yield f"Wrong passwords for it from this address within five minutes: {facts['failures']}."


def _of_claims(row: Mapping[Any, Any], facts: Mapping[str, Any]) -> Iterator[str]:
    for name, ours in (("iss", ISSUER), ("aud", AUDIENCE)):
        if name in facts and facts[name] != ours:
            yield f"The token's {name} is {facts[name]}; tokens of this registry have {ours}."
    if facts.get("sub") and facts["sub"] != row["subject"]:
        yield f"The token says that it is for {facts['sub']}."


def _of_times(reason: str, facts: Mapping[str, Any]) -> Iterator[str]:
    at, begins, ends, made = (_whole(facts.get(name)) for name in ("time", "nbf", "exp", "iat"))
    if at is None:
        return
    if made is not None and ends is not None:
        yield f"It was issued {moment(made, at)}, for {span((ends - made) * SECOND)}."
    if ends is not None and reason == Reason.EXPIRED:
        yield f"It expired {moment(ends, at)}."
    if begins is not None and reason == Reason.NOT_YET_VALID:
        yield f"It is valid from {moment(begins, at)}; 60 seconds are forgiven."


def moment(when: int, now: int) -> str:
    """Both are seconds of cluster time."""
    side = "before" if when <= now else "after"
    return f"{_written(when)} ({span((now - when) * SECOND)} {side} the request)"


def span(microseconds: int) -> str:
    """Roughly, in the largest fitting unit."""
    seconds = abs(microseconds) / SECOND
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _written(seconds: int) -> str:
    try:
        return rfc3339(seconds * SECOND)
    except (ValueError, OverflowError, OSError):
        return str(seconds)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
