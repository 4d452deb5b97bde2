"""The one way out: every request that Mooring makes of another server.

It follows no redirect, takes no proxy or password from the environment, ends in bounded time, reads a bounded body,
and goes to public addresses alone unless it is told that private ones are meant.
"""

import math
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from mooring.egress.addresses import AddressRefused, PublicResolver, is_address, is_public
from mooring.errors import ConfigurationError

USER_AGENT: Final = "mooring"
BODY_LIMIT: Final = 4 << 20


@dataclass(frozen=True)
class Policy:
    private: bool = False
    """Whether private addresses may be asked: only where the operator named the server himself."""
    timeout_seconds: float = 20
    authority: Path | None = None
    """PEM file of certificates to trust, instead of the system's."""
    verify: bool = True
    context: ssl.SSLContext | None = None
    """TLS made elsewhere, with a client's certificate."""
    keep_alive: bool = False
    """Whether a connection is used again. A load balancer may choose once a connection."""


@dataclass(frozen=True)
class Reply:
    """What a server answered, or in `trouble` why it did not: `timeout`, `refused`, `name`, `closed`, `tls`, `address`
    or `failed`."""

    status: int
    """0 when there was no answer."""
    headers: Sequence[tuple[str, str]]
    body: bytes
    started: float
    """Unix time by this machine's clock, seconds."""
    seconds: float
    trouble: str = ""
    detail: str = ""

    def header(self, name: str) -> str | None:
        return next((value for known, value in self.headers if known.lower() == name.lower()), None)


class Egress:
    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._session: aiohttp.ClientSession | None = None

    @property
    def policy(self) -> Policy:
        return self._policy

    async def __aenter__(self) -> Self:
        resolver = None if self._policy.private else PublicResolver()
        connector = aiohttp.TCPConnector(
            resolver=resolver, ssl=tls(self._policy), force_close=not self._policy.keep_alive, limit=32
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers={"user-agent": USER_AGENT},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        limit: int = BODY_LIMIT,
        timeout_seconds: float | None = None,
    ) -> Reply:
        """Never raises for what another server or the network does: `trouble` says it.

        `timeout_seconds` shortens the policy's.
        """
        assert self._session is not None, "used outside its `async with`"
        started, clock = time.time(), time.monotonic()

        def failed(trouble: str, error: BaseException) -> Reply:
            return Reply(0, (), b"", started, time.monotonic() - clock, trouble, str(error) or type(error).__name__)

        try:
            self._require_allowed(url)
            async with self._session.request(
                method,
                URL(url, encoded=True),
                headers=headers,
                data=body,
                allow_redirects=False,
                timeout=_patience(min(timeout_seconds or math.inf, self._policy.timeout_seconds)),
            ) as answer:
                content = await _read(answer, limit)
                found = tuple((name, value) for name, value in answer.headers.items())
                return Reply(answer.status, found, content, started, time.monotonic() - clock)
        except AddressRefused as error:
            return failed("address", error)
        except TimeoutError as error:
            return failed("timeout", error)
        except aiohttp.ClientConnectorDNSError as error:
            return failed("address" if isinstance(error.os_error, AddressRefused) else "name", error)
        except (aiohttp.ClientSSLError, ssl.SSLError) as error:
            return failed("tls", error)
        except aiohttp.ClientConnectorError as error:
            return failed("refused", error)
        except (aiohttp.ServerDisconnectedError, ConnectionError, aiohttp.ClientPayloadError) as error:
            return failed("closed", error)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return failed("failed", error)

    def _require_allowed(self, url: str) -> None:
        host = urlsplit(url).hostname or ""
        # The client asks no resolver about an address, so it is looked at here.
        if not self._policy.private and is_address(host) and not is_public(host):
            raise AddressRefused(f"{host} is not a public address")


def _patience(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=seconds, connect=min(10, seconds))


async def _read(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in answer.content.iter_chunked(1 << 16):
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            break
    return b"".join(chunks)[:limit]


def tls(policy: Policy) -> ssl.SSLContext:
    """Raises ConfigurationError when the file of certificates can't be read."""
    if policy.context is not None:
        return policy.context
    try:
        context = ssl.create_default_context(cafile=str(policy.authority) if policy.authority else None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"{policy.authority} is no file of PEM certificates: {error}") from error
    if not policy.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
