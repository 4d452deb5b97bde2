"""The page for a person who opens the registry's address in a browser: what this is, and how to push to it."""

import base64
import hashlib
from html import escape
from ipaddress import ip_address
from pathlib import Path
from string import Template

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

HERE = Path(__file__).parent
ENGLISH, CHINESE = "en", "zh-CN"
STYLE = (HERE / "landing.css").read_text(encoding="utf-8")
PAGES = {
    language: Template((HERE / f"landing.{language}.html").read_text(encoding="utf-8"))
    for language in (ENGLISH, CHINESE)
}
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
    "vary": "Accept-Language",
}


def landing(request: Request, origin: str) -> Response:
    """`origin` is where clients reach this registry, such as `https://registry.example`."""
    language = preferred_language(request.headers.get("accept-language", ""))
    address = escape(origin.partition("://")[2])
    page = PAGES[language].substitute(
        address=address, style=STYLE, if_plain="hidden" if _docker_accepts(origin) else ""
    )
    return HTMLResponse(page, headers={**HEADERS, "content-language": language})


def preferred_language(header: str) -> str:
    """Chinese where it is wanted more than English, else English (RFC 9110, section 12.5.4)."""
    weights = {ENGLISH: 0.0, CHINESE: 0.0}
    for item in header[:1000].split(","):
        tag, _, parameter = item.strip().partition(";")
        language = {"en": ENGLISH, "zh": CHINESE}.get(tag.strip().lower().partition("-")[0])
        if language is not None:
            weights[language] = max(weights[language], _weight(parameter))
    return CHINESE if weights[CHINESE] > weights[ENGLISH] else ENGLISH


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0


def _docker_accepts(origin: str) -> bool:
    """Docker talks plain HTTP to loopback addresses alone."""
    scheme, _, address = origin.partition("://")
    host = address[1:].partition("]")[0] if address.startswith("[") else address.partition(":")[0]
    if scheme == "https" or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
