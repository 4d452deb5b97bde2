"""One tree of errors. Each class knows its HTTP status and its stable code; `http.answers` writes them down."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar


class MooringError(Exception):
    """Something a caller can be told. The message is a sentence for a person."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL"
    message: ClassVar[str] = "Something went wrong on our side."

    def __init__(self, message: str | None = None, *, detail: Mapping[str, Any] | None = None) -> None:
        self.text = message or self.message
        self.detail = detail
        super().__init__(self.text)

    @property
    def headers(self) -> Mapping[str, str]:
        return {}


class ConfigurationError(MooringError):
    """This program can't serve like this; the message says what to change. A client may try another replica."""

    status = 503
    code = "MISCONFIGURED"
    message = "This replica of the registry is not set up right. Another one may be."

    @property
    def headers(self) -> Mapping[str, str]:
        return {"retry-after": "2"}


class Foreign(ConfigurationError):
    """This program is not one of the cluster's: it was given another master key, another store, or is too old."""


class Invalid(MooringError):
    status = 400
    code = "BAD_REQUEST"
    message = "The request is not valid."


class NotFound(MooringError):
    status = 404
    code = "NOT_FOUND"
    message = "There is no such thing here."


class Conflict(MooringError):
    status = 409
    code = "CONFLICT"
    message = "It exists already."


class PreconditionFailed(MooringError):
    status = 412
    code = "PRECONDITION"
    message = "Something else has to be done first."


class MethodNotAllowed(MooringError):
    status = 405
    code = "UNSUPPORTED"
    message = "This method is not supported here."

    def __init__(self, message: str | None = None, *, allowed: Iterable[str]) -> None:
        super().__init__(message)
        self._allowed = ", ".join(sorted(allowed))

    @property
    def headers(self) -> Mapping[str, str]:
        """`Allow` comes with every 405 (RFC 9110, section 15.5.6)."""
        return {"allow": self._allowed}


class TooLarge(MooringError):
    status = 413
    code = "SIZE_INVALID"
    message = "The body is larger than the limit."


class UriTooLong(MooringError):
    status = 414
    code = "NAME_INVALID"
    message = "The address is longer than the limit."


class HeadTooLarge(MooringError):
    status = 431
    code = "HEADERS_TOO_LARGE"
    message = "The request's headers are larger, or more, than the limit."


class TooSlow(MooringError):
    status = 408
    code = "REQUEST_TIMEOUT"
    message = "The body stopped arriving."


class ClientGone(MooringError):
    """The client closed the connection or stopped to read; nobody takes the answer."""

    status = 499
    code = "CLIENT_CLOSED"
    message = "The connection was closed before the body was complete."


class Unavailable(MooringError):
    """A part that Mooring needs can't answer now. Clients retry 503; docker never retries a 401."""

    status = 503
    code = "UNAVAILABLE"
    message = "The registry can't do this right now. Try again shortly."
    retry_after_seconds: ClassVar[int] = 2

    @property
    def headers(self) -> Mapping[str, str]:
        return {"retry-after": str(self.retry_after_seconds)}


class StorageFull(MooringError):
    status = 507
    code = "STORAGE_FULL"
    message = "The registry's disk is full. Nothing was changed; its operator has to free space."


class StorageReadOnly(Unavailable):
    code = "STORAGE_READ_ONLY"
    message = "The registry's data directory is read-only. Nothing was changed; its operator has to mend it."


class NameInvalid(MooringError):
    status = 400
    code = "NAME_INVALID"
    message = "The repository name is not valid."


class NameUnknown(NotFound):
    code = "NAME_UNKNOWN"
    message = "This repository does not exist."


class TagInvalid(MooringError):
    status = 400
    code = "TAG_INVALID"
    message = "The tag is not valid."


class DigestInvalid(MooringError):
    status = 400
    code = "DIGEST_INVALID"
    message = "The digest is not valid, or does not match the content."


class SizeInvalid(MooringError):
    status = 400
    code = "SIZE_INVALID"
    message = "The length does not match the content."


class BlobUnknown(NotFound):
    code = "BLOB_UNKNOWN"
    message = "This repository has no such blob."


class UploadUnknown(NotFound):
    code = "BLOB_UPLOAD_UNKNOWN"
    message = "There is no such upload. It may have ended, or been idle for too long."


class UploadInvalid(MooringError):
    status = 400
    code = "BLOB_UPLOAD_INVALID"
    message = "The upload request is not valid."


class RangeInvalid(MooringError):
    status = 416
    code = "RANGE_INVALID"
    message = "The range does not fit."

    def __init__(self, message: str | None = None, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self._headers = headers or {}

    @property
    def headers(self) -> Mapping[str, str]:
        return self._headers


class ManifestInvalid(MooringError):
    status = 400
    code = "MANIFEST_INVALID"
    message = "The manifest is not valid."


class ManifestUnknown(NotFound):
    code = "MANIFEST_UNKNOWN"
    message = "This repository has no such manifest."


class ManifestBlobUnknown(NotFound):
    code = "MANIFEST_BLOB_UNKNOWN"
    message = "The manifest names a blob that this repository does not have. Push the blob first."


class PageInvalid(MooringError):
    status = 400
    code = "PAGINATION_NUMBER_INVALID"
    message = "The page size is not a number from 0 up."


class Unsupported(MooringError):
    status = 415
    code = "UNSUPPORTED"
    message = "This content type is not supported."
