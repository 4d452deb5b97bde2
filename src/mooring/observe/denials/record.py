"""What is kept of one refusal: enough to explain it, and nothing that opens a door."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Scope

from mooring.refusals import Reason, Refused

LONGEST = {
    "request_id": 64,
    "method": 16,
    "path": 512,
    "subject": 255,
    "project": 255,
    "repository": 255,
    "action": 64,
    "client": 64,
    "user_agent": 255,
    "replica": 160,
    "sentence": 1000,
}
LONGEST_FACT = 200
MOST_FACTS = 20
TIME_DIGITS = 15
NAMELESS = "There were too many different refusals to tell each apart: these are only counted."
READS = ("GET", "HEAD")

SECRET = re.compile(
    r"eyJ[\w-]{5,}(?:\.[\w-]*)*"  # a token of JSON
    r"|(?<=://)[^/@\s]+@"  # a name and a password within an address
    r"|(?i:\b(?:bearer|basic)\s+)(?=\S*[0-9A-Z=+/])[\w.~+/=-]{8,}"  # but not words
)
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What moves a terminal's cursor or turns its text round, and what is no text."""


@dataclass
class Denial:
    """One row, which may stand for many refusals. Times are microseconds of cluster time."""

    id: str
    at: int
    last_at: int
    reason: Reason
    status: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    request_id: str = ""
    method: str = ""
    path: str = ""
    subject: str = ""
    project: str = ""
    repository: str = ""
    action: str = ""
    client: str = ""
    user_agent: str = ""
    replica: str = ""
    sentence: str = ""
    occurrences: int = 1

    def row(self) -> dict[str, Any]:
        return {**vars(self), "reason": str(self.reason)}


def denial(refused: Refused, request_id: str, scope: Scope, now: int, replica: str) -> Denial:
    return Denial(
        id=identity(now),
        at=now,
        last_at=now,
        reason=refused.reason,
        status=refused.answer_status,
        facts=facts(refused.facts),
        request_id=_fitting("request_id", request_id),
        method=_fitting("method", scope["method"]),
        path=_fitting("path", scope["path"]),
        subject=_fitting("subject", refused.subject),
        project=_fitting("project", refused.project),
        repository=_fitting("repository", refused.resource),
        action=_fitting("action", refused.action),
        client=_fitting("client", client(scope)),
        user_agent=_fitting("user_agent", header(scope, b"user-agent")),
        replica=_fitting("replica", replica),
        sentence=_fitting("sentence", refused.text),
    )


def nameless(refused: Refused, now: int, replica: str) -> Denial:
    """A row for refusals of many accounts, repositories and clients, which are too many to tell apart."""
    return Denial(
        id=identity(now),
        at=now,
        last_at=now,
        reason=refused.reason,
        status=refused.answer_status,
        replica=_fitting("replica", replica),
        sentence=NAMELESS,
    )


def is_first_question(refused: Refused, scope: Scope) -> bool:
    """Whether it is only how a client learns where to log in (distribution/docs, spec/auth/token)."""
    return (
        refused.reason is Reason.AUTHENTICATION_REQUIRED
        and scope["method"] in READS
        and scope["path"].startswith("/v2")
        and not header(scope, b"authorization")
    )


def identity(at: int) -> str:
    return f"{earliest(at)}{secrets.token_hex(4)}"


def earliest(at: int) -> str:
    """Not above any id from this moment on, and above all from before it."""
    return f"{max(at, 0):0{TIME_DIGITS}x}"


def latest(at: int) -> str:
    """Not below any id up to this moment."""
    return f"{earliest(at)}g"


def client(scope: Scope) -> str:
    """Where the request came from: the job with the old password is found by it."""
    found = scope.get("client")
    return str(found[0]) if found else ""


def header(scope: Scope, name: bytes) -> str:
    return next((bytes(value).decode("latin-1") for known, value in scope["headers"] if known == name), "")


def clean(text: str, longest: int) -> str:
    """What both databases take, and without what looks like a secret: whoever sends one where none belongs."""
    return UNPRINTABLE.sub("�", SECRET.sub("[removed]", text[: 4 * longest]))[:longest]


def _fitting(column: str, text: str) -> str:
    return clean(text, LONGEST[column])


def facts(given: Mapping[str, object]) -> dict[str, Any]:
    return {name: _fact(value) for name, value in list(given.items())[:MOST_FACTS]}


def _fact(value: object) -> Any:
    if value is None or isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**53):
        return value
    if isinstance(value, list | tuple):
        return [clean(str(each), LONGEST_FACT) for each in value[:MOST_FACTS]]
    return clean(str(value), LONGEST_FACT)
