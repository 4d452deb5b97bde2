"""How S3 is reached, and what its errors mean."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.handlers import add_expect_header

from mooring import __version__
from mooring.errors import ConfigurationError, MooringError, StorageFull, Unavailable
from mooring.measuring import Observe
from mooring.storage.s3_time import StoreTime
from mooring.storage.store import ObjectMissing

CONNECTIONS = 64
CONNECT_SECONDS = 3
READ_SECONDS = 15
ATTEMPTS = 5
"""With the pauses between them, seconds: a store that restarts is back by then, and most clients never notice."""
ANSWER_SECONDS = 20.0
"""For a request with its repetitions: a store that hangs is answered as one that is away."""

SEND_SECONDS = 120.0
"""For one that carries a part."""

OPTIONS = frozenset({"endpoint", "region", "style"})
MISSING = frozenset({"NoSuchKey", "NotFound", "404"})
FULL = frozenset({"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "507"})

BEGAN = "mooring_began"
Client = Any
"""aiobotocore makes its clients' methods at run time."""


@dataclass(frozen=True)
class Bucket:
    """Where the objects are: `s3://NAME/PREFIX?endpoint=…&region=…&style=path`."""

    name: str
    prefix: str = ""
    """Empty, or ends with a slash."""
    endpoint: str | None = None
    region: str | None = None
    style: str = "auto"


def parse_bucket(url: str) -> Bucket:
    """Raises ConfigurationError."""
    parts = urlsplit(url)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    unknown = sorted(set(options) - OPTIONS)
    style = options.get("style", "path" if "endpoint" in options else "auto")
    if (
        parts.scheme != "s3"
        or not parts.netloc
        or parts.username
        or unknown
        or style not in ("path", "virtual", "auto")
    ):
        raise ConfigurationError(
            "MOORING_STORE must be s3://BUCKET/PREFIX, with ?endpoint=URL&region=NAME&style=path where needed"
            + (f"; {', '.join(unknown)} is no option of it." if unknown else ".")
        )
    prefix = parts.path.strip("/")
    return Bucket(parts.netloc, f"{prefix}/" if prefix else "", options.get("endpoint"), options.get("region"), style)


async def connected(bucket: Bucket, stack: AsyncExitStack) -> Client:
    """A client that lives as long as the stack, with credentials by the usual chain."""
    config = AioConfig(
        signature_version="s3v4",
        s3={"addressing_style": bucket.style},
        # Servers other than Amazon's refuse the checksums that botocore adds by itself (boto/boto3#4392).
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        max_pool_connections=CONNECTIONS,
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        # Both are worked out anew for each request: a tenth of what a small one costs.
        user_agent=f"mooring/{__version__}",
        parameter_validation=False,
    )
    made = get_session().create_client("s3", region_name=bucket.region, endpoint_url=bucket.endpoint, config=config)
    client = await stack.enter_async_context(made)
    StoreTime().attach(client)
    # Every part would wait for a `100 Continue` that not all servers and proxies send.
    client.meta.events.unregister("before-call.s3", add_expect_header)
    return client


def timed(client: Client, observe: Observe) -> None:
    """Tell how long its requests take, each with all its repetitions, until the answer begins."""

    def begin(context: dict[str, Any], **_more: object) -> None:
        context[BEGAN] = time.perf_counter()

    def end(http_response: Any, model: Any, context: dict[str, Any], **_more: object) -> None:
        failed = http_response.status_code >= 500 or http_response.status_code == 403
        observe(model.name, time.perf_counter() - context[BEGAN], failed)

    def fail(context: dict[str, Any], event_name: str, **_more: object) -> None:
        observe(event_name.rpartition(".")[2], time.perf_counter() - context[BEGAN], True)

    client.meta.events.register("before-call.s3", begin)
    client.meta.events.register("after-call.s3", end)
    client.meta.events.register("after-call-error.s3", fail)


@asynccontextmanager
async def translated_errors(key: str = "", seconds: float | None = ANSWER_SECONDS) -> AsyncIterator[None]:
    """Raises ObjectMissing, StorageFull or Unavailable, the last one also when `seconds` have passed."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except ClientError as error:
        raise _translated(error, key) from error
    except NoCredentialsError as error:
        raise Unavailable("There are no credentials for the registry's bucket: set AWS_ACCESS_KEY_ID.") from error
    except (TimeoutError, BotoCoreError, aiohttp.ClientError, OSError) as error:
        raise Unavailable("The registry's store can't answer right now. Try again shortly.") from error


async def abort(client: Client, bucket: Bucket, name: str, upload_id: str) -> None:
    """An upload that is not there any more is no error."""
    try:
        await client.abort_multipart_upload(Bucket=bucket.name, Key=name, UploadId=upload_id)
    except ClientError as error:
        if code_of(error) not in ("NoSuchUpload", "NoSuchKey", "404"):
            raise


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _translated(error: ClientError, key: str) -> MooringError | ObjectMissing:
    code = code_of(error)
    if code in MISSING:
        return ObjectMissing(key)
    if code in FULL:
        return StorageFull()
    if code == "NoSuchBucket":
        return Unavailable("The registry's bucket does not exist.")
    if code in ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403"):
        return Unavailable("The registry's bucket refuses the credentials that it was given.")
    return Unavailable("The registry's store can't answer right now. Try again shortly.")
