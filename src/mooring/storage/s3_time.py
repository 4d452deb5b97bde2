"""The store's own time, by which requests to it are signed.

S3 refuses a signature whose time is more than 15 minutes off. botocore takes the time from this machine's wall clock,
so that a replica with a wrong clock would lose its store. The store tells its time in the `Date` of every answer.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import botocore.auth
from botocore.auth import SIGV4_TIMESTAMP, S3SigV4Auth, S3SigV4QueryAuth

SIGNED_AT = "mooring_signed_at"
TOO_FAR = timedelta(minutes=4)
"""A refusal of a request that was signed with a time further off than this is tried again."""


class StoreTime:
    """This machine's wall clock until the store has answered once; then the store's, carried on monotonically."""

    def __init__(self) -> None:
        self._said: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        if self._said is None:
            return datetime.now(UTC)
        said, at = self._said
        return said + timedelta(seconds=time.monotonic() - at)

    def attach(self, client: Any) -> None:
        """Sign all requests of a client by this time, and learn it from their answers."""
        client.meta.events.register("before-sign.s3", self._stamp)
        client.meta.events.register("needs-retry.s3", self._learn)

    def _stamp(self, request: Any, **_more: object) -> None:
        request.context[SIGNED_AT] = self.now()

    def _learn(self, response: tuple[Any, Mapping[str, Any]] | None, request_dict: Any, **_more: object) -> int | None:
        """botocore asks after every answer whether to try again, and how many seconds later."""
        said = _date(response[1]) if response else None
        if response is None or said is None:
            return None
        self._said = (said, time.monotonic())
        signed_at = request_dict["context"].get(SIGNED_AT, said)
        return 0 if response[0].status_code == 403 and abs(signed_at - said) > TOO_FAR else None


def _date(answer: Mapping[str, Any]) -> datetime | None:
    try:
        said = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    except (KeyError, ValueError):
        return None
    return said if said.tzinfo else said.replace(tzinfo=UTC)


def _set_time(request: Any) -> None:
    if SIGNED_AT in request.context:
        request.context["timestamp"] = request.context[SIGNED_AT].strftime(SIGV4_TIMESTAMP)


class Signature(S3SigV4Auth):  # type: ignore[misc]
    """botocore's, by the time that the request was stamped with."""

    def _modify_request_before_signing(self, request: Any) -> None:
        _set_time(request)
        super()._modify_request_before_signing(request)

    def payload(self, request: Any) -> str:
        """A part was hashed as it came in: the event loop would stand still while botocore reads all of it again."""
        return str(getattr(request.data, "sha256", None) or super().payload(request))


class SignedAddress(S3SigV4QueryAuth):  # type: ignore[misc]
    """The same for an address that is given to a client."""

    def _modify_request_before_signing(self, request: Any) -> None:
        _set_time(request)
        super()._modify_request_before_signing(request)


# botocore finds its signatures here by name and nowhere else. Requests that nobody stamped are signed as ever.
botocore.auth.AUTH_TYPE_MAPS.update({"s3v4": Signature, "s3v4-query": SignedAddress})
