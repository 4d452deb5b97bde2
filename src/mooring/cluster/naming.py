"""What this process is called among the replicas: never the same as another one, whatever names were given."""

import os
import secrets
import socket
from functools import cache

from mooring.settings import Settings

VARIABLE = "MOORING_SERVER"
"""Set by a server for its workers, not by people."""


@cache
def server() -> str:
    """At random for each start of a server; its workers have it from the one that started them."""
    return os.environ.get(VARIABLE) or secrets.token_hex(3)


def host() -> str:
    return socket.gethostname()


def given_name(settings: Settings) -> str:
    """The part that a person chose, or the place of this replica."""
    return settings.replica or f"{host()}:{settings.port}"


def replica_name(settings: Settings) -> str:
    """With the server's id: process ids repeat between containers, and a name is easily given twice."""
    return f"{given_name(settings)}/{os.getpid()}-{server()}"
