"""Where a server listens, and whether it can."""

import errno
import socket
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


def require_free(settings: Settings) -> None:
    """Raises ConfigurationError.

    The server shares a port with any other that does (SO_REUSEPORT, for its workers): two registries on one port
    would each get a part of the requests, and nobody would be told.
    """
    host, port = settings.host, settings.port
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            text = f"The address {host} port {port} is in use by another program. Give --port another one."
        else:
            text = f"Mooring can't listen on {host} port {port}: {error.strerror}."
        raise ConfigurationError(text) from error
