"""`mooring explain`: one refusal, or one token, in words."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from mooring.access import keyring
from mooring.access.examination import Examined, examine
from mooring.access.explanation import Explanation, span
from mooring.access.explanation import explain as explained
from mooring.access.permissions import SCOPE_ACTIONS
from mooring.access.tokens import AccessToken
from mooring.assembly import Parts
from mooring.cli.denials import record
from mooring.cli.opened import opened
from mooring.cli.options import Config, Data, Form, Output
from mooring.cluster.clock import SECOND, rfc3339
from mooring.errors import Invalid, NotFound
from mooring.observe.denials import log
from mooring.projects.standing import evaluate

LONGEST = 64 * 1024


def explain(
    request_id: Annotated[
        str | None, typer.Argument(help="Number of the request, as the client showed it. None: read a token.")
    ] = None,
    output: Output = "text",
    data: Data = None,
    config: Config = None,
) -> None:
    """Say of one refusal what happened, why, and what to do.

    Without a number, read a token from standard input: what it says, who signed it, and which replicas take it. Exit 1
    when one does not. The token's signature is never printed.
    """
    text = None if request_id else _token()
    with opened(config, data) as parts:
        if request_id:
            _refusal(parts, request_id, output)
        else:
            assert text is not None
            _examined(parts, text, output)


def _refusal(parts: Parts, request_id: str, output: Form) -> None:
    now = parts.clock.now()
    found = parts.database.read_now(log.of_request, request_id)
    if not found:
        raise NotFound(
            f"No refusal with the number {request_id[:64]} is kept. In a flood only some are, a first question without "
            "credentials never is, and what is too old goes. `mooring denials` shows what there is."
        )
    ring = parts.database.read_now(keyring.load, parts.master_key)
    keys = {key.kid: key.state for key in ring.keys.values()}
    all_told = [(row, explained(row, keys, now)) for row in found]
    if output == "json":
        print(json.dumps([{**record(row), **asdict(told)} for row, told in all_told], indent=2, ensure_ascii=False))
        return
    print("\n\n".join("\n".join(refusal_lines(row, told)) for row, told in all_told))


def refusal_lines(row: Mapping[Any, Any], told: Explanation) -> Iterator[str]:
    yield f"{row['reason']}: {row['sentence']}"
    yield from _beside(told.happened)
    yield from told.why
    yield f"What to do: {told.remedy}"
    yield f"Read: {told.read}"


def _token() -> str:
    """Raises Invalid. What `/service/token` answers will do as well."""
    if sys.stdin.isatty():
        raise Invalid("Give a request's number, or a token on standard input.")
    text = sys.stdin.read(LONGEST).strip()
    try:
        answer = json.loads(text)
        text = str(answer.get("token") or answer.get("access_token") or "")
    except (ValueError, AttributeError, RecursionError):
        pass
    text = text.removeprefix("Bearer ").strip()
    if not text:
        raise Invalid("There is no token on standard input.")
    return text


def _examined(parts: Parts, text: str, output: Form) -> None:
    now = parts.clock.now()
    examined = parts.database.read_now(examine, parts.master_key, text, now)
    may = list(_may(parts, examined.token, now)) if examined.token else []
    if output == "json":
        told = {**asdict(examined), "sound": examined.token is not None, "may": may}
        del told["token"]
        print(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        print("\n".join(_token_lines(examined, may)))
    if not examined.opinions or not all(each.takes for each in examined.opinions):
        raise typer.Exit(1)


def _may(parts: Parts, token: AccessToken, now: int) -> Iterator[str]:
    """What its account may do at this moment, whatever it was given."""
    repositories = [scope.name for scope in token.scopes if scope.type == "repository"] or [""]
    for name in repositories:
        standing = parts.database.read_now(evaluate, token.subject, name.partition("/")[0], now)
        if standing.refusal is not None:
            yield f"refused: {standing.refusal}"
            return
        held = [action for action, permission in SCOPE_ACTIONS.items() if permission in standing.permissions]
        if name:
            yield f"{', '.join(held) or 'nothing'} on {name}"


def _token_lines(examined: Examined, may: Sequence[str]) -> Iterator[str]:
    seen, now = examined.seen, examined.time
    if not seen:
        yield "This is no token that can be read (reason: malformed)."
    state = examined.key_state or "not in the keyring: this registry did not sign it, or long ago"
    rows = [("signed by", f"{seen['kid']} ({state})")] if "kid" in seen else []
    rows += [(label, str(seen[name])) for label, name in (("issuer", "iss"), ("audience", "aud")) if name in seen]
    if "sub" in seen:
        rows.append(("account", str(seen["sub"]) or "nobody"))
    for label, name in (("issued", "iat"), ("valid from", "nbf"), ("expires", "exp")):
        if name in seen:
            rows.append((label, _when(seen[name], now)))
    rows.append(("cluster time", rfc3339(now * SECOND)))
    rows += [("granted", str(each)) for each in seen.get("granted", ())]
    rows += [("may now", each) for each in may]
    yield from _beside(rows)
    yield "Each replica that lives:" if examined.opinions else "No replica lives that could take it."
    for each in examined.opinions:
        verdict = "takes it" if each.takes else f"refuses it ({each.reason})"
        yield f"  {each.replica} {verdict}{'. ' if each.text else '.'}{each.text}"


def _when(value: object, now: int) -> str:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**36:
        return f"{value!r:.60}, which is no time"
    apart = f"{span((now - value) * SECOND)} ago" if value <= now else f"in {span((value - now) * SECOND)}"
    return f"{rfc3339(value * SECOND)}, {apart}"


def _beside(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    width = max((len(label) for label, _ in rows), default=0)
    for label, text in rows:
        yield f"  {label.ljust(width)}  {text}"
