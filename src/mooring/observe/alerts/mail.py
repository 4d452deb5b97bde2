"""One message by SMTP, to an address that was looked at before it is connected to."""

import asyncio
import contextlib
import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import getaddresses
from typing import Final
from urllib.parse import urlsplit

from mooring.egress.addresses import is_public
from mooring.settings import MAIL_PORTS, Settings

STEP_SECONDS: Final = 15


class MailFailed(Exception):
    """In words for a person, with no secret in them."""


class _Session(smtplib.SMTP):
    """A connection whose certificate is the name's, though it goes to an address."""

    def __init__(self, scheme: str, host: str, address: str) -> None:
        super().__init__(timeout=STEP_SECONDS)
        self._host = host
        self._address = address
        self._at_once = scheme == "smtps"
        self._afterwards = scheme == "smtp"
        self._context = ssl.create_default_context()
        self._raw: socket.socket | None = None

    def converse(self, port: int, message: EmailMessage, settings: Settings) -> None:
        self.connect(self._host, port)
        with self:
            if self._afterwards:
                self.starttls(context=self._context)
            if settings.alert_mail_username:
                self._log_in(settings.alert_mail_username, settings)
            recipients = [address for _, address in getaddresses([str(message["To"])])]
            self.send_message(message, to_addrs=recipients)

    def abort(self) -> None:
        """The thread waits for a socket: without one it ends."""
        for each in (self._raw, self.sock):
            if each is not None:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def _log_in(self, name: str, settings: Settings) -> None:
        if not isinstance(self.sock, ssl.SSLSocket):
            raise MailFailed("the mail server has no TLS, so that no password is sent to it")
        secret = settings.alert_mail_password
        self.login(name, secret.get_secret_value() if secret else "")

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """Called by smtplib's `connect`."""
        self._raw = socket.create_connection((self._address, port), timeout)
        return self._context.wrap_socket(self._raw, server_hostname=host) if self._at_once else self._raw


async def send_mail(message: EmailMessage, settings: Settings) -> None:
    """By `smtps://` (TLS from the start), `smtp://` (STARTTLS, or not at all) or `smtp+plain://` (neither).

    Raises MailFailed, and what smtplib raises. No password is sent without TLS.
    """
    assert settings.alert_mail_server is not None
    parts = urlsplit(settings.alert_mail_server)
    host, port = parts.hostname or "", parts.port or MAIL_PORTS[parts.scheme]
    session = _Session(parts.scheme, host, await _resolved(host, port, private=settings.alert_private))
    try:
        await asyncio.to_thread(session.converse, port, message, settings)
    finally:
        session.abort()


async def _resolved(host: str, port: int, *, private: bool) -> str:
    """The address to connect to. A name that leads elsewhere a moment later gains nothing."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise MailFailed("the mail server has a name that leads nowhere") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not private and not all(is_public(each) for each in addresses):
        raise MailFailed("the mail server has a private address: set alert_private if that is meant")
    return addresses[0]
