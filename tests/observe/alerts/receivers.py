"""Those who are told: a web server that keeps what is posted to it, and a mail server that keeps its mails."""

import base64
import contextlib
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, cast

from tests.server import HOST

USERNAME: Final = "mooring"
PASSWORD: Final = "Secret-of-the-mail-1"


@dataclass(frozen=True)
class Post:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


@dataclass
class Webhook:
    port: int
    posts: list[Post] = field(default_factory=list)
    refused: list[Post] = field(default_factory=list)
    status: int = 200
    """What is answered; anything but 200 refuses."""
    token: str = "T0KEN-in-the-path"

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/hooks/{self.token}"


@contextlib.contextmanager
def webhook() -> Iterator[Webhook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            post = Post(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            (made.posts if made.status == 200 else made.refused).append(post)
            self.send_response(made.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer((HOST, 0), Handler)
    made = Webhook(server.server_address[1])
    with _serving(server):
        yield made


@dataclass
class Mailbox:
    """`said` is each command of its clients, `mails` what they left."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    refuses: str = ""
    """Begins a command that is answered 550."""
    silent: bool = False


@contextlib.contextmanager
def mail_server(certificate: tuple[Path, Path] | None = None, *, at_once: bool = False) -> Iterator[Mailbox]:
    """SMTP with STARTTLS where it is given a certificate, or with TLS from the start. Without one it asks for passwords
    in the clear, as careless ones do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
    if context and certificate:
        context.load_cert_chain(*certificate)
    mailbox = Mailbox()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
                dialogue = _Dialogue(self.request, mailbox, context, at_once=at_once)
                stack.callback(dialogue.close)
                dialogue.run()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    server = Server((HOST, 0), Handler)
    mailbox.port = cast("tuple[str, int]", server.server_address)[1]
    with _serving(server):
        yield mailbox


class _Dialogue:
    def __init__(
        self, connection: socket.socket, mailbox: Mailbox, context: ssl.SSLContext | None, *, at_once: bool
    ) -> None:
        self._context = context
        self._mailbox = mailbox
        self._connection = connection
        if at_once and context:
            self._connection = context.wrap_socket(connection, server_side=True)
        self._file = self._connection.makefile("rwb", buffering=0)
        self._recipients: list[str] = []

    def run(self) -> None:
        if self._mailbox.silent:
            self._file.readline()
            return
        self._say("220 mail.test ESMTP")
        while line := self._file.readline():
            text = line.decode().rstrip("\r\n")
            self._mailbox.said.append(text)
            if self._mailbox.refuses and text.upper().startswith(self._mailbox.refuses):
                self._say(f"550 no, not {text}")
                continue
            if not self._answer(text):
                return

    def close(self) -> None:
        self._file.close()
        self._connection.close()

    def _answer(self, text: str) -> bool:
        secure = isinstance(self._connection, ssl.SSLSocket)
        word = text.partition(" ")[0].upper()
        match word:
            case "EHLO":
                offers = ["STARTTLS"] if self._context and not secure else []
                offers += ["AUTH PLAIN"] if secure or not self._context else []
                lines = ["mail.test", *offers]
                for number, each in enumerate(lines):
                    self._say(f"250{' ' if number == len(lines) - 1 else '-'}{each}")
            case "STARTTLS":
                self._say("220 go on")
                assert self._context
                self._file.close()
                self._connection = self._context.wrap_socket(self._connection, server_side=True)
                self._file = self._connection.makefile("rwb", buffering=0)
            case "AUTH":
                given = base64.b64decode(text.split()[2]).decode().split("\0")[1:]
                self._say("235 welcome" if given == [USERNAME, PASSWORD] else "535 wrong")
            case "RCPT":
                self._recipients.append(text.partition(":")[2].strip("<>"))
                self._say("250 ok")
            case "DATA":
                self._say("354 go on")
                self._keep()
                self._say("250 kept")
            case "QUIT":
                self._say("221 bye")
                return False
            case _:
                self._say("250 ok")
        return True

    def _keep(self) -> None:
        lines: list[bytes] = []
        while (line := self._file.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        self._mailbox.recipients.append(self._recipients)
        self._mailbox.mails.append(message_from_bytes(b"".join(lines), policy=policy.default))

    def _say(self, line: str) -> None:
        self._file.write(f"{line}\r\n".encode())


@contextlib.contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
