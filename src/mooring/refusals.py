"""The closed list of reasons for which Mooring refuses, and the error that carries one."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from mooring.errors import MooringError


class Reason(StrEnum):
    """A metric's label, the log's column and a heading of `docs/refusals.md`: never rename one."""

    AUTHENTICATION_REQUIRED = "authentication_required"
    BAD_CREDENTIALS = "bad_credentials"
    LOCKED = "locked"
    DISABLED = "disabled"
    CREDENTIALS_EXPIRED = "credentials_expired"
    MALFORMED = "malformed"
    UNKNOWN_KID = "unknown_kid"
    BAD_SIGNATURE = "bad_signature"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    WRONG_AUDIENCE = "wrong_audience"
    WRONG_ISSUER = "wrong_issuer"
    REVOKED = "revoked"
    NO_PERMISSION = "no_permission"
    NO_SUCH_PROJECT = "no_such_project"


@dataclass(frozen=True)
class Ruling:
    status: int
    code: str
    explanation: str
    bearer_error: str | None = None


RULINGS: Mapping[Reason, Ruling] = {
    Reason.AUTHENTICATION_REQUIRED: Ruling(
        401, "UNAUTHORIZED", "Log in first: nobody is logged in.", "insufficient_scope"
    ),
    Reason.BAD_CREDENTIALS: Ruling(401, "UNAUTHORIZED", "The user name or the password is wrong."),
    Reason.LOCKED: Ruling(
        429,
        "TOOMANYREQUESTS",
        "Too many wrong passwords for this account came from your address. The right one still works.",
    ),
    Reason.DISABLED: Ruling(401, "UNAUTHORIZED", "This account is disabled.", "invalid_token"),
    Reason.CREDENTIALS_EXPIRED: Ruling(
        401,
        "UNAUTHORIZED",
        "This robot account has expired. Give it a new life or make a new one.",
        "invalid_token",
    ),
    Reason.MALFORMED: Ruling(
        401, "UNAUTHORIZED", "The Authorization header or its token can't be read.", "invalid_token"
    ),
    Reason.UNKNOWN_KID: Ruling(
        401,
        "UNAUTHORIZED",
        "The token was signed with a key that this registry does not have.",
        "invalid_token",
    ),
    Reason.BAD_SIGNATURE: Ruling(401, "UNAUTHORIZED", "The token's signature does not fit its key.", "invalid_token"),
    Reason.EXPIRED: Ruling(401, "UNAUTHORIZED", "The token has expired. Get a new one.", "invalid_token"),
    Reason.NOT_YET_VALID: Ruling(401, "UNAUTHORIZED", "The token is not valid yet.", "invalid_token"),
    Reason.WRONG_AUDIENCE: Ruling(401, "UNAUTHORIZED", "The token was issued for another service.", "invalid_token"),
    Reason.WRONG_ISSUER: Ruling(401, "UNAUTHORIZED", "The token was issued by somebody else.", "invalid_token"),
    Reason.REVOKED: Ruling(401, "UNAUTHORIZED", "The account behind this token no longer exists.", "invalid_token"),
    Reason.NO_PERMISSION: Ruling(403, "DENIED", "You may not do this.", "insufficient_scope"),
    Reason.NO_SUCH_PROJECT: Ruling(404, "NAME_UNKNOWN", "This project does not exist. Create it first."),
}


class Refused(MooringError):
    """A request that is refused for what its caller is, or is not, allowed.

    `challenge` is the value of `WWW-Authenticate`, where the answer is 401. `facts` explain it to whoever runs the
    registry; they hold no secrets, and clients never see them.
    """

    def __init__(
        self,
        reason: Reason,
        explanation: str | None = None,
        *,
        challenge: str | None = None,
        subject: str = "",
        resource: str = "",
        project: str = "",
        action: str = "",
        facts: Mapping[str, object] | None = None,
        status: int | None = None,
    ) -> None:
        self.reason = reason
        self.ruling = RULINGS[reason]
        self.answer_status = status or self.ruling.status
        self.challenge = challenge
        self.subject = subject
        self.resource = resource
        self.project = project
        self.action = action
        self.facts = facts or {}
        super().__init__(explanation or self.ruling.explanation)

    def sentence(self, request_id: str) -> str:
        """What a client shows of the answer. Docker shows this and nothing else."""
        return f"{self.text} (reason: {self.reason}, request: {request_id})"

    @property
    def headers(self) -> Mapping[str, str]:
        headers = {}
        if self.challenge:
            headers["www-authenticate"] = self.challenge
        if self.answer_status == 429:
            headers["retry-after"] = "5"
        return headers
