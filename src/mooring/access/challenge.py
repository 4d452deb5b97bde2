"""The `WWW-Authenticate` header that leads a client to the token endpoint (distribution/docs, spec/auth/token)."""

from starlette.requests import HTTPConnection

from mooring.access.caller import AUDIENCE
from mooring.settings import Settings


def origin(request: HTTPConnection, settings: Settings) -> str:
    """Scheme, host and port by which clients reach this registry."""
    if settings.external_url:
        return settings.external_url
    scheme = request.headers.get("x-forwarded-proto", request.scope["scheme"]).partition(",")[0].strip()
    host = request.headers.get("x-forwarded-host", request.headers.get("host", "")).partition(",")[0].strip()
    return f"{'https' if scheme == 'https' else 'http'}://{_quotable(host)}"


def bearer(origin: str, scope: str = "", error: str | None = None, description: str = "") -> str:
    """`description` is shown with an error: where there is one, Docker reads it here and not in the body."""
    parts = [f'Bearer realm="{origin}/service/token"', f'service="{AUDIENCE}"']
    if scope:
        parts.append(f'scope="{scope}"')
    if error:
        parts.append(f'error="{error}"')
        parts.append(f'error_description="{_describing(description)}"')
    return ",".join(parts)


def basic() -> str:
    return 'Basic realm="mooring"'


def _describing(text: str) -> str:
    """The characters that RFC 6750, section 3, allows."""
    return "".join(character for character in text if " " <= character <= "~" and character not in '"\\')


def _quotable(host: str) -> str:
    return "".join(character for character in host if character.isalnum() or character in ".-_:[]")
