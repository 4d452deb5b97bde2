"""What an application is told of a request (asgi.readthedocs.io, "HTTP Connection Scope")."""

from urllib.parse import unquote, urlsplit

from starlette.types import Scope

from mooring.http.prepared import Headers

ASGI = {"version": "3.0", "spec_version": "2.3"}
Address = tuple[str, int] | None


def http_scope(method: str, version: str, url: bytes, headers: Headers, client: Address, server: Address) -> Scope:
    target = url if url.startswith((b"/", b"*")) else _of_absolute(url)
    path, _, query = target.partition(b"#")[0].partition(b"?")
    text = path.decode("utf-8", "replace")
    return {
        "type": "http",
        "asgi": ASGI,
        "http_version": version,
        "method": method,
        "scheme": "http",
        "path": unquote(text) if "%" in text else text,
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": headers,
        "client": client,
        "server": server,
        "state": {},
    }


def address(name: object) -> Address:
    """Of one end of a connection, as the system names it."""
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None


def _of_absolute(url: bytes) -> bytes:
    """What proxies are asked for, and every server has to take (RFC 9112, section 3.2.2)."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return b"/"
    return (parts.path or b"/") + (b"?" + parts.query if parts.query else b"")
