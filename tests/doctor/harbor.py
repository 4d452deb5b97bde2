"""A stand-in for Harbor, as real cores answer: several cores behind a load balancer of its own.

Written from what Harbor's source says and what real cores of 2.15.2 were seen to answer. Each part can be broken.
"""

import asyncio
import hashlib
import json
import random
import secrets
import ssl
import time
from base64 import b32encode, b64decode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

import aiohttp
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.server import free_port

LOCK_SECONDS: Final = 1.5
LEEWAY_SECONDS: Final = 60
HOUR: Final = 3600.0
ADMIN: Final = ("admin", "Harbor12345")
ROBOT: Final = ("robot$library+ci", "Zu7dGm0eYTjNsVR8oQ2cLw5pKb1xHf4A")


@dataclass(frozen=True)
class Key:
    private: rsa.RSAPrivateKey

    @property
    def kid(self) -> str:
        """As libtrust names a key: SHA-256 of its public half, 240 bits of it, in Base32 by fours."""
        public = self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        text = b32encode(hashlib.sha256(public).digest()[:30]).decode()
        return ":".join(text[at : at + 4] for at in range(0, len(text), 4))

    def pem(self, form: Literal["pkcs1", "pkcs8"] = "pkcs1") -> bytes:
        kind = serialization.PrivateFormat
        chosen = kind.TraditionalOpenSSL if form == "pkcs1" else kind.PKCS8
        return self.private.private_bytes(serialization.Encoding.PEM, chosen, serialization.NoEncryption())


def make_key() -> Key:
    return Key(rsa.generate_private_key(public_exponent=65537, key_size=2048))


@dataclass
class Project:
    name: str
    id: int
    public: bool = True
    created_at: float = 0
    members: tuple[str, ...] = ()


@dataclass
class Database:
    up: bool = True
    auth_mode: str = "db_auth"
    passwords: dict[str, str] = field(default_factory=lambda: dict([ADMIN, ROBOT, ("dev1", "Dev1-password")]))
    new_hashes: set[str] = field(default_factory=set)
    """Accounts whose password 2.15.2 stored."""
    projects: list[Project] = field(
        default_factory=lambda: [
            Project("library", 1, created_at=time.time() - 90 * 24 * HOUR),
            Project("secret", 2, public=False, created_at=time.time() - 80 * 24 * HOUR, members=("admin",)),
        ]
    )
    robot_prefix: str = "robot$"
    token_seconds: int = 1800
    read_only: bool = False
    quota: tuple[int, int] = (-1, 4096)
    """Bytes that a project may hold, and holds."""
    cached_ids: dict[str, int] = field(default_factory=dict)

    def project(self, name: str) -> Project | None:
        return next((project for project in self.projects if project.name == name), None)


@dataclass
class Registry:
    """Distribution, which knows one password and its own uploads."""

    password: str = "registry-password"
    http_secret: str = "placeholder"
    uploads: set[str] = field(default_factory=set)
    up: bool = True


@dataclass
class Core:
    key: Key
    database: Database
    registry: Registry
    key_state: Literal["good", "missing", "pkcs8"] = "good"
    clock: float = 0
    version: str = "v2.15.2"
    external_scheme: str = "http"
    registry_password: str = "registry-password"
    csrf_key: str = "0123456789abcdef0123456789abcdef"
    redis_up: bool = True
    redis_delay: float = 3.1
    directory: Callable[[], bool] = lambda: True
    """Whether LDAP answers this time."""
    directory_reached: bool = True
    token_delay: float = 0
    running: bool = True
    port: int = 0
    locks: dict[str, float] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def now(self) -> float:
        return time.time() + self.clock


class Panic(Exception):
    """The core's goroutine dies: the connection ends without an answer."""


def fault(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    body = json.dumps({"errors": [{"code": code, "message": message}]})
    return web.Response(status=status, text=body, content_type="application/json", headers=headers)


def internal() -> web.Response:
    return fault(500, "UNKNOWN", "internal server error")


# --- who is it ---


async def login(core: Core, name: str, password: str) -> str:
    """The name, or nothing: every fault is swallowed."""
    if not core.database.up:
        core.log.append(f"failed to authenticate user:{name}, error:failed to connect to `host=postgresql`")
        return ""
    if core.locks.get(name, 0) > time.monotonic():
        return ""
    known = core.database.passwords.get(name)
    robot = name.startswith("robot$")
    if robot and core.database.robot_prefix != "robot$":
        known = None
    if known is not None and core.version < "v2.15.2" and name in core.database.new_hashes:
        raise Panic
    if core.database.auth_mode == "ldap_auth" and not core.directory_reached and name != "admin" and not robot:
        core.log.append("ldap connection fail: connection refused")
        return ""
    reached = core.directory() if core.database.auth_mode == "ldap_auth" and not robot and name != "admin" else True
    if known == password and reached:
        return name
    core.log.append(f"Login failed, locking {name}, and sleep for 1.5s")
    core.locks[name] = time.monotonic() + LOCK_SECONDS
    await asyncio.sleep(LOCK_SECONDS + 0.05)
    return ""


def basic(request: web.Request) -> tuple[str, str] | None:
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind != "Basic":
        return None
    name, _, password = b64decode(value).decode().partition(":")
    return name, password


def may(database: Database, name: str, project: Project) -> list[str]:
    if name == "admin":
        return ["pull", "push", "delete"]
    if name in project.members or (name in database.passwords and project.name == "library"):
        return ["pull", "push"]
    return ["pull"] if project.public else []


# --- tokens ---


def sign(core: Core, name: str, access: list[dict[str, Any]]) -> str:
    now = int(core.now())
    head = {"alg": "RS256", "kid": core.key.kid, "typ": "JWT"}
    claims = {
        "iss": "harbor-token-issuer",
        "aud": "harbor-registry",
        "exp": now + core.database.token_seconds,
        "nbf": now,
        "iat": now,
        "jti": secrets.token_urlsafe(12),
        "access": access,
    }
    if name:
        claims["sub"] = name
    text = ".".join(encoded(json.dumps(part).encode()) for part in (head, claims))
    signature = core.key.private.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{text}.{encoded(signature)}"


def verified(core: Core, token: str) -> dict[str, Any] | None:
    """What the token says, if this core takes it. The `kid` is not looked at."""
    if core.key_state == "missing":
        core.log.append("failed to get default options")
        return None
    text, _, signature = token.rpartition(".")
    try:
        core.key.private.public_key().verify(decoded(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        core.log.append("parse token error, token signature is invalid: crypto/rsa: verification error")
        return None
    claims: dict[str, Any] = json.loads(decoded(text.partition(".")[2]))
    if claims["nbf"] > core.now() + LEEWAY_SECONDS:
        core.log.append("token has invalid claims: token is not valid yet")
        return None
    if claims["exp"] < core.now() - LEEWAY_SECONDS:
        core.log.append("token has invalid claims: token is expired")
        return None
    return claims


def encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def token(core: Core, request: web.Request) -> web.Response:
    if core.token_delay:
        await asyncio.sleep(core.token_delay)
    if not core.redis_up:
        await asyncio.sleep(core.redis_delay)
    given = basic(request)
    name = await login(core, *given) if given else ""
    scopes = request.query.getall("scope", [])
    if not scopes and not name:
        return web.Response(status=401)
    if core.key_state != "good":
        core.log.append("Unexpected error when creating the token, error: failed to read private key")
        return web.Response(status=500)
    access = []
    for scope in scopes:
        kind, repository, _ = scope.split(":")
        project = core.database.project(repository.partition("/")[0]) if core.database.up else None
        # All that the caller may, whatever was asked for.
        actions = may(core.database, name, project) if project else []
        access.append({"type": kind, "name": repository, "actions": actions})
    text = sign(core, name, access)
    return web.json_response({"token": text, "access_token": "", "expires_in": core.database.token_seconds})


# --- /v2 ---


async def v2(core: Core, request: web.Request) -> web.Response:
    path = request.match_info["path"]
    authorization = request.headers.get("Authorization", "")
    name, access = await standing(core, request)
    realm = f"{core.external_scheme}://{request.host}/service/token"
    bare = f'Bearer realm="{realm}",service="harbor-registry"'
    if not path:
        if name:
            return await behind(core, request, "", "")
        refused = 'Basic realm="harbor"' if authorization else bare
        return fault(401, "UNAUTHORIZED", "unauthorized: unauthorized", {"Www-Authenticate": refused})
    repository, _, rest = path.partition("/blobs/")
    action = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}.get(request.method, "push")
    if not authorization and action == "pull":
        challenge = f'{bare},scope="repository:{repository}:pull"'
        return fault(401, "UNAUTHORIZED", "unauthorized: authorize header needed", {"Www-Authenticate": challenge})
    if "/" not in repository:
        return fault(400, "BAD_REQUEST", f"invalid repository name: {repository}")
    wanted = [(repository, action)]
    if source := request.query.get("from"):
        wanted.append((source, "pull"))
    for each, needed in wanted:
        if refusal := allowed(core, each, needed, name, access, repository, authorization, bare):
            return refusal
    return await behind(core, request, repository, rest)


async def standing(core: Core, request: web.Request) -> tuple[str, dict[str, list[str]] | None]:
    """Who asks, and what a token lets him; None for rights that the database knows."""
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind == "Bearer" and (claims := verified(core, value)):
        access = {entry["name"].partition("/")[0]: entry["actions"] for entry in claims["access"]}
        return claims.get("sub", ""), access
    if given := basic(request):
        return await login(core, *given), None
    return "", None


def allowed(
    core: Core,
    repository: str,
    action: str,
    name: str,
    access: dict[str, list[str]] | None,
    target: str,
    authorization: str,
    bare: str,
) -> web.Response | None:
    project_name = repository.partition("/")[0]
    if not core.database.up:
        core.log.append(f'failed to get project "{project_name}" for token validation')
        return fault(
            401, "UNAUTHORIZED", "unauthorized: failed to connect to `host=postgresql`", {"Www-Authenticate": ""}
        )
    project = core.database.project(project_name)
    if project is None and repository != target:
        message = f"unauthorized to access repository: {target}, action: push"
        return fault(401, "UNAUTHORIZED", f"{message}: {message}", {"Www-Authenticate": 'Basic realm="harbor"'})
    if project is None:
        message = f"project {project_name} not found"
        return fault(401, "UNAUTHORIZED", f"{message}: {message}", {"Www-Authenticate": ""})
    if access is not None:
        rights = access.get(project_name, [])
        # A core behind the project's birth takes not even its own tokens.
        if core.now() + LEEWAY_SECONDS < project.created_at:
            core.log.append(f'bearer token issued at x is before project "{project_name}" creation time y, rejecting')
            rights = ["pull"] if project.public else []
    else:
        rights = may(core.database, name, project)
    if action in rights or (action == "pull" and project.public):
        return None
    message = f"unauthorized to access repository: {repository}, action: {action}"
    challenge = 'Basic realm="harbor"' if authorization else f'{bare},scope="repository:{repository}:{action}"'
    return fault(401, "UNAUTHORIZED", f"{message}: {message}", {"Www-Authenticate": challenge})


async def behind(core: Core, request: web.Request, repository: str, rest: str) -> web.Response:
    registry = core.registry
    if not registry.up:
        return web.Response(status=502)
    if core.database.read_only and request.method not in {"GET", "HEAD"}:
        message = "The system is in read only mode. Any modification is prohibited."
        return fault(403, "DENIED", message)
    if not core.redis_up and request.method == "POST":
        core.log.append("failed to set accepted blob size for session, connection refused")
        return internal()
    if core.registry_password != registry.password:
        actions = ("pull", "push") if request.method == "POST" else ("pull",)
        detail = [{"Type": "repository", "Class": "", "Name": repository, "Action": each} for each in actions]
        body: dict[str, list[dict[str, Any]]] = {
            "errors": [{"code": "UNAUTHORIZED", "message": "authentication required", "detail": None}]
        }
        if repository:
            body["errors"][0]["detail"] = detail
        headers = {"Www-Authenticate": 'Basic realm="harbor-registry-basic-realm"'}
        return web.json_response(body, status=401, headers=headers)
    if not repository:
        return web.json_response({}, headers={"Docker-Distribution-Api-Version": "registry/2.0"})
    if not rest.startswith("uploads/"):
        return fault(404, "BLOB_UNKNOWN", "blob unknown to registry")
    return upload(registry, request, repository, rest.removeprefix("uploads/"))


def upload(registry: Registry, request: web.Request, repository: str, session: str) -> web.Response:
    if request.method == "POST":
        session = secrets.token_hex(16)
        registry.uploads.add(session)
        scheme = request.headers.get("X-Forwarded-Proto", "http")
        state = hashlib.sha256(registry.http_secret.encode()).hexdigest()
        location = f"{scheme}://{request.host}/v2/{repository}/blobs/uploads/{session}?_state={state}"
        return web.Response(status=202, headers={"Location": location, "Range": "0-0"})
    if request.query.get("_state") != hashlib.sha256(registry.http_secret.encode()).hexdigest():
        return fault(404, "BLOB_UPLOAD_INVALID", "blob upload invalid")
    if session not in registry.uploads:
        return fault(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
    if request.method == "DELETE":
        registry.uploads.discard(session)
    return web.Response(status=204, headers={"Range": "0-0"})


# --- the API ---


async def ping(_core: Core, _request: web.Request) -> web.Response:
    return web.Response(text="Pong")


async def health(core: Core, _request: web.Request) -> web.Response:
    """Says that the database is healthy for a while after it went down."""
    components: list[dict[str, str]] = [
        {"name": "core", "status": "healthy"},
        {"name": "database", "status": "healthy"},
    ]
    if core.redis_up:
        components.append({"name": "redis", "status": "healthy"})
    else:
        components.append(
            {"name": "redis", "status": "unhealthy", "error": "failed to check redis: connection refused"}
        )
    return web.json_response({"status": "healthy", "components": components})


async def system_info(core: Core, request: web.Request) -> web.Response:
    given = basic(request)
    known = await login(core, *given) if given else ""
    found = {"auth_mode": core.database.auth_mode, "self_registration": False}
    if known:
        found |= {
            "read_only": core.database.read_only,
            "harbor_version": f"{core.version}-abcdef12",
            "external_url": f"{core.external_scheme}://harbor.test",
        }
    return web.json_response(found)


async def projects(core: Core, request: web.Request) -> web.Response:
    given = basic(request)
    name = await login(core, *given) if given else ""
    if not core.database.up or not core.redis_up:
        return internal()
    seen = [project for project in core.database.projects if project.public or name == "admin"]
    rows = [described(project, project.id) for project in sorted(seen, key=lambda each: each.name)]
    return web.json_response(rows, headers={"X-Total-Count": str(len(rows))})


async def summary(core: Core, request: web.Request) -> web.Response:
    given = basic(request)
    if not (given and await login(core, *given)):
        return fault(401, "UNAUTHORIZED", "unauthorized")
    hard, used = core.database.quota
    return web.json_response({"repo_count": 1, "quota": {"hard": {"storage": hard}, "used": {"storage": used}}})


async def project(core: Core, request: web.Request) -> web.Response:
    found = core.database.project(request.match_info["name"])
    if found is None:
        return fault(404, "NOT_FOUND", "project not found")
    return web.json_response(described(found, core.database.cached_ids.get(found.name, found.id)))


def described(found: Project, number: int) -> dict[str, Any]:
    made = datetime.fromtimestamp(found.created_at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    public = "true" if found.public else "false"
    return {"name": found.name, "project_id": number, "creation_time": made, "metadata": {"public": public}}


async def user_exists(core: Core, request: web.Request) -> web.Response:
    """Guarded by the CSRF check, whose cookie and token are made with the core's key."""
    secret = hashlib.sha256(core.csrf_key.encode()).hexdigest()
    shown, cookie = request.headers.get("X-Harbor-CSRF-Token"), request.cookies.get("_gorilla_csrf")
    if shown == cookie == secret:
        return web.Response(status=412, text="self registration deactivated, only sysadmin can check user existence")
    refused = fault(403, "FORBIDDEN", "CSRF token invalid", {"X-Harbor-Csrf-Token": secret})
    refused.set_cookie("_gorilla_csrf", secret, httponly=True)
    return refused


# --- running it ---

Handler = Callable[[Core, web.Request], Awaitable[web.Response]]
ROUTES: Final[tuple[tuple[str, Handler], ...]] = (
    ("/api/v2.0/ping", ping),
    ("/api/v2.0/health", health),
    ("/api/v2.0/systeminfo", system_info),
    ("/api/v2.0/projects", projects),
    ("/api/v2.0/projects/{name}", project),
    ("/api/v2.0/projects/{name}/summary", summary),
    ("/service/token", token),
    ("/c/userExists", user_exists),
    ("/v2/{path:.*}", v2),
)


@dataclass
class Balancer:
    cores: list[Core]
    spread: Literal["turns", "random"] = "turns"
    drops_authorization: bool = False
    truncates_authorization: bool = False
    forwarded_proto: str = "http"
    host: str = ""
    """What it writes into Host; empty leaves it alone."""
    tries_another: bool = True
    instead: Callable[[web.Request], web.Response | None] = lambda _: None
    """What it answers by itself."""
    port: int = 0
    turn: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def next(self) -> Core:
        if self.spread == "random":
            return random.choice(self.cores)
        self.turn += 1
        return self.cores[self.turn % len(self.cores)]

    async def pass_on(self, request: web.Request, session: aiohttp.ClientSession) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
        headers["X-Forwarded-Proto"] = self.forwarded_proto
        if self.host:
            headers["Host"] = self.host
        if self.drops_authorization:
            headers.pop("Authorization", None)
        if self.truncates_authorization and headers.get("Authorization", "").startswith("Bearer"):
            headers["Authorization"] = headers["Authorization"][:300]
        if (own := self.instead(request)) is not None:
            return own
        for _ in self.cores:
            try:
                return await self._try(request, session, headers)
            except aiohttp.ClientConnectionError:
                # nginx tries the next one where nothing was sent yet
                if session.closed or not self.tries_another:
                    break
        return web.Response(status=502, text="<html>502 Bad Gateway</html>", content_type="text/html")

    async def _try(
        self, request: web.Request, session: aiohttp.ClientSession, headers: Mapping[str, str]
    ) -> web.Response:
        url = self.next().url + request.raw_path
        async with session.request(
            request.method, url, headers=headers, data=await request.read(), allow_redirects=False
        ) as reply:
            kept = [
                (name, value)
                for name, value in reply.headers.items()
                if name.lower() not in {"content-length", "transfer-encoding", "date", "server", "content-encoding"}
            ]
            answer = web.Response(status=reply.status, body=await reply.read())
            answer.headers.clear()
            for name, value in kept:
                answer.headers.add(name, value)
            return answer


@dataclass
class Harbor:
    cores: list[Core]
    balancer: Balancer
    key: Key
    other_key: Key

    @property
    def database(self) -> Database:
        return self.cores[0].database

    @property
    def second(self) -> Core:
        return self.cores[1]


def built(key: Key, other_key: Key) -> Harbor:
    """A sound one: two cores, one of everything else."""
    database, registry = Database(), Registry()
    cores = [Core(key, database, registry) for _ in range(2)]
    return Harbor(cores, Balancer(cores), key, other_key)


async def served(harbor: Harbor, stack: AsyncExitStack, context: ssl.SSLContext | None = None) -> None:
    """Starts it on free ports, until the stack is left; with TLS at the entrance where there is a context."""
    for core in harbor.cores:
        core.port = await _listen(_application(core), stack) if core.running else free_port()
    session = await stack.enter_async_context(
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True), cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )
    )
    application = web.Application()

    async def handle(request: web.Request) -> web.Response:
        return await harbor.balancer.pass_on(request, session)

    application.router.add_route("*", "/{path:.*}", handle)
    harbor.balancer.port = await _listen(application, stack, context)


@asynccontextmanager
async def served_securely(harbor: Harbor, context: ssl.SSLContext) -> AsyncIterator[str]:
    """The same with TLS before the balancer. Answers its address."""
    harbor.balancer.forwarded_proto = "https"
    for core in harbor.cores:
        core.external_scheme = "https"
    async with AsyncExitStack() as stack:
        await served(harbor, stack, context)
        yield harbor.balancer.url.replace("http:", "https:")


def _application(core: Core) -> web.Application:
    application = web.Application()

    def bound(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(core, request)
            except Panic:
                assert request.transport is not None
                request.transport.abort()
                return web.Response(status=500)

        return handle

    for path, handler in ROUTES:
        application.router.add_route("*", path, bound(handler))
    return application


async def _listen(application: web.Application, stack: AsyncExitStack, context: ssl.SSLContext | None = None) -> int:
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=6, handler_cancellation=True)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port: int = runner.addresses[0][1]
    return port
