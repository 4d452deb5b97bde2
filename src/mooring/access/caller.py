"""Who sent a request, as far as its Authorization header proves it."""

import base64
import binascii
import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from mooring.access import tokens
from mooring.access.keyholder import KeyHolder
from mooring.access.tokens import AccessToken
from mooring.cluster.clock import Clock
from mooring.identity.credentials import Credentials
from mooring.refusals import Reason, Refused

AUDIENCE = "mooring"
LONGEST_HEADER = 20 * 1024
REMEMBERED_TOKENS = 10_000


@dataclass(frozen=True)
class Caller:
    subject: str = ""
    """`user:ID`, `robot:ID`, or empty for nobody."""
    name: str = ""
    token: AccessToken | None = None

    @property
    def anonymous(self) -> bool:
        return not self.subject


NOBODY = Caller()


class Callers:
    """Reads Authorization headers. Remembers the tokens it verified until they expire."""

    def __init__(self, credentials: Credentials, keys: KeyHolder, clock: Clock) -> None:
        self._credentials = credentials
        self._keys = keys
        self._clock = clock
        self._verified: OrderedDict[bytes, Caller] = OrderedDict()

    async def identify(self, request: HTTPConnection) -> Caller:
        """Nobody when there is no header. Raises Refused for a header that proves nothing."""
        headers = [value for name, value in request.scope["headers"] if name == b"authorization"]
        if not headers:
            return NOBODY
        if len(headers) > 1 or len(headers[0]) > LONGEST_HEADER:
            raise Refused(Reason.MALFORMED)
        proof = hashlib.sha256(headers[0]).digest()
        known = self._verified.get(proof)
        if known is not None and known.token is not None and known.token.expires_at >= self._clock.seconds():
            return known
        scheme, _, value = headers[0].decode("latin-1").partition(" ")
        if scheme.lower() == "bearer":
            return await self._of_token(value.strip(), proof)
        if scheme.lower() == "basic":
            name, secret = decode_basic(value.strip())
            account = await self._credentials.prove(name, secret, source(request))
            return Caller(account.subject, account.name)
        raise Refused(Reason.MALFORMED, "The Authorization header is neither Basic nor Bearer.")

    async def _of_token(self, text: str, proof: bytes) -> Caller:
        try:
            token = await self._verify(text)
        except Refused as refused:
            refused.facts = {**tokens.seen(text), "time": self._clock.seconds()}
            raise
        caller = Caller(token.subject, token.name, token)
        self._verified[proof] = caller
        while len(self._verified) > REMEMBERED_TOKENS:
            self._verified.popitem(last=False)
        return caller

    async def _verify(self, text: str) -> AccessToken:
        key = await self._keys.find(tokens.key_id(text))
        return tokens.verify(text, key, audience=AUDIENCE, now=self._clock.seconds())


def decode_basic(value: str) -> tuple[str, str]:
    """Raises Refused(malformed)."""
    try:
        name, colon, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise Refused(Reason.MALFORMED, "The Basic credentials can't be read.") from error
    if "\0" in name or "\0" in secret:
        # RFC 7617 allows no control characters, and PostgreSQL can't look for this one.
        raise Refused(Reason.MALFORMED, "The Basic credentials hold a NUL.")
    if not colon:
        raise Refused(Reason.MALFORMED, "The Basic credentials have no password.")
    return name, secret


def source(request: HTTPConnection) -> str:
    """The address whose wrong passwords are counted together."""
    return request.client.host[:64] if request.client else ""
