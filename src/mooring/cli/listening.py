"""Where a server listens."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from mooring.errors import ConfigurationError
from mooring.settings import Settings

ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104


def address(settings: Settings) -> str:
    """`host:port` as image references begin, for a person on this machine or, with an external URL, anywhere."""
    if settings.external_url:
        return urlsplit(settings.external_url).netloc
    host = "127.0.0.1" if settings.host in ANY else settings.host
    return f"[{host}]:{settings.port}" if ":" in host else f"{host}:{settings.port}"


@contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """The address, taken; it is the workers who begin to listen. Raises ConfigurationError."""
    host, port = settings.host, settings.port
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _explained(error, settings) from error
    with listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(where)
        except OSError as error:
            raise _explained(error, settings) from error
        listener.setblocking(False)
        yield listener


def _explained(error: OSError, settings: Settings) -> ConfigurationError:
    host, port = settings.host, settings.port
    if error.errno == errno.EADDRINUSE:
        return ConfigurationError(
            f"The address {host} port {port} is in use by another program. Give --port another one."
        )
    return ConfigurationError(f"Mooring can't listen on {host} port {port}: {error.strerror}.")
