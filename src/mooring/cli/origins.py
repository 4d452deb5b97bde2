"""Addresses of registries as people write them."""

import sys
from urllib.parse import urlsplit

from mooring.egress.credentials import Credentials, from_docker, from_environment
from mooring.errors import Invalid


def origin(text: str) -> str:
    """`https://host:port`, from an address with or without a scheme. Raises Invalid."""
    url = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Invalid(f"{text} is no address of a registry: {error}.") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise Invalid(f"{text} is no address of a registry. Write https://HOST or https://HOST:PORT.")
    if parts.username is not None:
        raise Invalid("Write no password into an address: others see it. Use --username and --password-stdin.")
    if parts.path.strip("/") or parts.query:
        raise Invalid(f"{text} has a path. Write only the scheme, the host and the port.")
    return f"{parts.scheme}://{parts.netloc}"


def credentials(prefix: str, url: str, username: str | None, *, password_stdin: bool) -> Credentials | None:
    """From the command line, else from `{prefix}_USERNAME` and `{prefix}_PASSWORD`, else from docker's login.

    Raises Invalid for half of a name and a password.
    """
    if bool(username) != password_stdin:
        raise Invalid("Give --username and --password-stdin together: the password comes on standard input.")
    if username:
        return Credentials(username, sys.stdin.readline().rstrip("\r\n"), "the command line")
    return from_environment(prefix) or (from_docker(url) if url else None)
