"""What a client sends, as llhttp reads it: heads, pieces of bodies, and their ends, with a bound on each."""

from typing import Protocol

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpRequestParser

from mooring.errors import HeadTooLarge, Invalid, MooringError
from mooring.http.prepared import Headers

LONGEST_HEAD = 256 * 1024
MOST_HEADERS = 200
VERSIONS = frozenset({"1.0", "1.1"})
NO_HTTP = "What came is no request of HTTP/1.1."


class Recipient(Protocol):
    """Who is told what came."""

    is_ending: bool
    """Whether nothing more is to be read."""

    def head_begins(self) -> None: ...

    def head_ends(self, method: str, version: str, url: bytes, headers: Headers, *, keep_alive: bool) -> None: ...

    def body_comes(self, body: bytes) -> None: ...

    def body_ends(self) -> None: ...

    def refuse(self, why: MooringError) -> None:
        """Of this client nothing more can be understood."""
        ...


class Reader:
    def __init__(self, recipient: Recipient) -> None:
        self._recipient = recipient
        self._parser = HttpRequestParser(self)
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._overhead = 0
        """Bytes since a head was whole, or a piece of a body came."""
        self.in_head = False

    def read(self, data: memoryview) -> None:
        while data and not self._recipient.is_ending:
            data = self._parse(data)

    def _parse(self, data: memoryview) -> memoryview:
        """What is left of it."""
        self._overhead += len(data)
        try:
            left = self._feed(data)
        except HttpParserCallbackError:
            raise  # a fault of ours
        except HttpParserError:
            self._recipient.refuse(Invalid(NO_HTTP))
        else:
            if self._overhead > LONGEST_HEAD:
                self._recipient.refuse(HeadTooLarge())
            return left
        return data[:0]

    def _feed(self, data: memoryview) -> memoryview:
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            if not self._recipient.is_ending:
                self._feed_without_upgrade()
            return data[upgrade.args[0] :]
        return data[:0]

    def _feed_without_upgrade(self) -> None:
        """Nothing else is spoken here (RFC 9110, section 7.8), but the parser took the body for the other protocol."""
        method, version = self._parser.get_method(), self._parser.get_http_version().encode()
        lines = [b"%b: %b" % header for header in self._headers if header[0] != b"upgrade"]
        head = b"\r\n".join([b"%b %b HTTP/%b" % (method, self._url, version), *lines, b"", b""])
        self._parser = HttpRequestParser(self)
        self._parser.feed_data(head)

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._url, self._headers = b"", []
        self.in_head = True
        if not self._recipient.is_ending:
            self._recipient.head_begins()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        # What comes after a chunked body is nobody's.
        if self.in_head:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        method, version = parser.get_method().decode("ascii"), parser.get_http_version()
        if parser.should_upgrade() and method != "CONNECT":
            return
        self.in_head = False
        if self._recipient.is_ending:
            return
        flaw, self._overhead = self._flaw(method, version), 0
        if flaw is not None:
            self._recipient.refuse(flaw)
            return
        keep_alive = parser.should_keep_alive() and version != "1.0"
        self._recipient.head_ends(method, version, self._url, self._headers, keep_alive=keep_alive)

    def on_body(self, body: bytes) -> None:
        self._overhead = 0
        self._recipient.body_comes(body)

    def on_message_complete(self) -> None:
        if self.in_head:
            return  # it is read again, without its wish for another protocol
        self._recipient.body_ends()
        self._overhead = 0

    def _flaw(self, method: str, version: str) -> MooringError | None:
        """Why a request whose head is sound as such is not taken."""
        if len(self._headers) > MOST_HEADERS or (self._overhead > LONGEST_HEAD and self._size() > LONGEST_HEAD):
            return HeadTooLarge()
        if version not in VERSIONS or method == "CONNECT":
            return Invalid(NO_HTTP)
        return None

    def _size(self) -> int:
        return len(self._url) + sum(len(name) + len(value) + 4 for name, value in self._headers)
