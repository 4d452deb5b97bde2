"""`/service/token`: GET as in spec/auth/token, the OAuth2 POST as in spec/auth/oauth (distribution/docs).

Wrong credentials are 401, with or without a scope. Right ones get what they may have of what they asked: 200, always.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mooring.access import challenge, refresh, tokens
from mooring.access.authorizer import project_of
from mooring.access.caller import AUDIENCE, decode_basic, source
from mooring.access.keyholder import KeyHolder
from mooring.access.permissions import SCOPE_ACTIONS
from mooring.access.scopes import Scope, parse_scopes
from mooring.access.standing import Standings
from mooring.cluster.clock import SECOND, Clock, rfc3339
from mooring.cluster.configuration import Configuration
from mooring.database import Database
from mooring.errors import Invalid
from mooring.http.body import read_body
from mooring.identity.credentials import Account, Credentials
from mooring.refusals import Reason, Refused
from mooring.settings import Settings

FORM_LIMIT = 64 * 1024
NOBODY = Account("", "")


@dataclass(frozen=True)
class TokenEndpoint:
    credentials: Credentials
    standings: Standings
    keys: KeyHolder
    clock: Clock
    database: Database
    configuration: Configuration

    @property
    def settings(self) -> Settings:
        return self.configuration.settings

    async def get(self, request: Request) -> Response:
        asked = parse_scopes(request.query_params.getlist("scope"))
        with _asking_for(asked):
            account = await self._account_of_header(request)
        answer = await self._answer(account, asked)
        wants_refresh = request.query_params.get("offline_token", "").lower() in ("true", "1")
        if wants_refresh and account is not NOBODY:
            answer["refresh_token"] = await self._refresh_token(account, request.query_params.get("client_id", ""))
        return JSONResponse(answer)

    async def post(self, request: Request) -> Response:
        form = parse_qs((await read_body(request, FORM_LIMIT, self.settings)).decode("utf-8", "replace"))
        field = {name: values[-1] for name, values in form.items()}
        grant = field.get("grant_type")
        asked = parse_scopes(form.get("scope", []))
        with _asking_for(asked):
            account = await self._account_of_form(grant, field, request)
        answer = await self._answer(account, asked)
        if grant == "refresh_token":
            answer["refresh_token"] = field["refresh_token"]
        elif field.get("access_type") == "offline":
            answer["refresh_token"] = await self._refresh_token(account, field.get("client_id", ""))
        return JSONResponse(answer)

    async def _account_of_form(self, grant: str | None, field: Mapping[str, str], request: Request) -> Account:
        if grant == "password":
            return await self._prove(field.get("username", ""), field.get("password", ""), request)
        if grant == "refresh_token":
            return await self._account_of_refresh_token(field.get("refresh_token", ""))
        raise Invalid("grant_type must be password or refresh_token.")

    async def _account_of_header(self, request: Request) -> Account:
        header = request.headers.getlist("authorization")
        if not header:
            return NOBODY
        scheme, _, value = header[0].partition(" ")
        if len(header) > 1 or scheme.lower() != "basic":
            raise _basic(Refused(Reason.MALFORMED, "Log in here with a user name and a password."))
        try:
            name, secret = decode_basic(value.strip())
        except Refused as refused:
            raise _basic(refused) from refused
        return await self._prove(name, secret, request)

    async def _prove(self, name: str, secret: str, request: Request) -> Account:
        try:
            return await self.credentials.prove(name, secret, source(request))
        except Refused as refused:
            raise _basic(refused) from refused

    async def _account_of_refresh_token(self, token: str) -> Account:
        life = self.settings.refresh_token_life_days
        try:
            return await self.database.write(refresh.use, self.clock.now(), token, AUDIENCE, life)
        except Refused as refused:
            raise _basic(refused) from refused

    async def _refresh_token(self, account: Account, client_id: str) -> str:
        return await self.database.write(
            refresh.issue,
            self.clock.now(),
            subject=account.subject,
            service=AUDIENCE,
            client_id=client_id,
            life_days=self.settings.refresh_token_life_days,
        )

    async def _answer(self, account: Account, asked: Sequence[Scope]) -> dict[str, object]:
        granted = [await self._granted(account.subject, scope) for scope in asked]
        now, life = self.clock.now(), self.settings.token_life_seconds
        token = tokens.issue(
            await self.keys.signing(),
            subject=account.subject,
            name=account.name,
            audience=AUDIENCE,
            scopes=granted,
            now=now // SECOND,
            life=life,
        )
        return {
            "token": token,
            "access_token": token,
            "expires_in": life,
            "issued_at": rfc3339(now // SECOND * SECOND),
            "scope": " ".join(str(scope) for scope in granted if scope.actions),
        }

    async def _granted(self, subject: str, scope: Scope) -> Scope:
        """The part of a scope that its subject may have: maybe no action at all, never an error."""
        if scope.type == "registry" and scope.name == "catalog":
            # What the catalogue lists is filtered by what each caller may pull.
            return Scope(scope.type, scope.name, ("*",) if "*" in scope.actions else ())
        if scope.type != "repository":
            return Scope(scope.type, scope.name, ())
        standing = await self.standings.fresh(subject, project_of(scope.name))
        wanted = list(SCOPE_ACTIONS) if "*" in scope.actions else scope.actions
        allowed = (
            ()
            if standing.refusal
            else tuple(
                action for action in wanted if action in SCOPE_ACTIONS and SCOPE_ACTIONS[action] in standing.permissions
            )
        )
        return Scope(scope.type, scope.name, allowed)


@contextmanager
def _asking_for(asked: Sequence[Scope]) -> Iterator[None]:
    """Says of a refusal what the token was to be for."""
    try:
        yield
    except Refused as refused:
        scope = next((scope for scope in asked if scope.type == "repository"), None)
        if scope is not None:
            refused.project, refused.resource = project_of(scope.name), scope.name
            refused.action = ",".join(scope.actions)
        raise


def _basic(refused: Refused) -> Refused:
    refused.challenge = challenge.basic()
    return refused
