"""A token is verified by the key that its `kid` names, with that key's algorithm, and by nothing else it says."""

import json
from collections.abc import Callable
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mooring.access import keyring
from tests.access.forgery import (
    compact,
    encode,
    es256,
    es256_in_der,
    hs256,
    private_key,
    signed,
    unsigned,
)
from tests.access.people import Stage
from tests.access.verdicts import parameters
from tests.http.site import Site, basic, bearer

MANIFEST: Final = "/v2/closed/app/manifests/latest"
STRANGER: Final = ec.generate_private_key(ec.SECP256R1())

Forged = Callable[[Site], str]


def jwk() -> dict[str, Any]:
    numbers = STRANGER.public_key().public_numbers()
    x, y = (encode(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def public(site: Site, encoding: Encoding, form: PublicFormat) -> bytes:
    return private_key(site.parts.keys.keyring.signer).public_key().public_bytes(encoding, form)


def spki(site: Site) -> bytes:
    return public(site, Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def published(site: Site) -> bytes:
    return json.dumps(site.parts.keys.keyring.jwks()["keys"][0]).encode()


def changed(site: Site, part: int, change: Callable[[str], str]) -> str:
    parts = signed(site).split(".")
    parts[part] = change(parts[part])
    return ".".join(parts)


def soon(site: Site, seconds: int) -> int:
    return site.parts.clock.seconds() + seconds


FORGED: Final[dict[str, tuple[str, Forged]]] = {
    "made-up kid": ("unknown_kid", lambda site: signed(site, {"kid": "made-up"}, es256(STRANGER))),
    "empty kid": ("unknown_kid", lambda site: signed(site, {"kid": ""})),
    "no kid": ("malformed", lambda site: signed(site, {"kid": None})),
    "kid that is no text": ("malformed", lambda site: signed(site, {"kid": 7})),
    "none": ("malformed", lambda site: signed(site, {"alg": "none"}, unsigned)),
    "None": ("malformed", lambda site: signed(site, {"alg": "None"}, unsigned)),
    "no alg": ("malformed", lambda site: signed(site, {"alg": None})),
    "HS256 with our public key in PEM": ("malformed", lambda site: signed(site, {"alg": "HS256"}, hs256(spki(site)))),
    "HS256 with our public key in DER": (
        "malformed",
        lambda site: signed(
            site, {"alg": "HS256"}, hs256(public(site, Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
        ),
    ),
    "HS256 with our published key": ("malformed", lambda site: signed(site, {"alg": "HS256"}, hs256(published(site)))),
    "HMAC that says ES256": ("bad_signature", lambda site: signed(site, {}, hs256(spki(site)))),
    "another algorithm of the same family": ("malformed", lambda site: signed(site, {"alg": "ES384"})),
    "RS256": ("malformed", lambda site: signed(site, {"alg": "RS256"})),
    "EdDSA": ("malformed", lambda site: signed(site, {"alg": "EdDSA"})),
    "our kid, another's key": ("bad_signature", lambda site: signed(site, {}, es256(STRANGER))),
    "our kid, another's key in jwk": ("bad_signature", lambda site: signed(site, {"jwk": jwk()}, es256(STRANGER))),
    "another's kid and jwk": (
        "unknown_kid",
        lambda site: signed(site, {"kid": "theirs", "jwk": {**jwk(), "kid": "theirs"}}, es256(STRANGER)),
    ),
    "jwk alone": ("malformed", lambda site: signed(site, {"kid": None, "jwk": jwk()}, es256(STRANGER))),
    "x5c": ("bad_signature", lambda site: signed(site, {"x5c": ["MIIB"]}, es256(STRANGER))),
    "jku": (
        "bad_signature",
        lambda site: signed(site, {"jku": "http://127.0.0.1:9/jwks.json"}, es256(STRANGER)),
    ),
    "x5u": ("bad_signature", lambda site: signed(site, {"x5u": "http://127.0.0.1:9/x"}, es256(STRANGER))),
    "signature in DER": (
        "bad_signature",
        lambda site: signed(site, {}, es256_in_der(private_key(site.parts.keys.keyring.signer))),
    ),
    "no signature": ("bad_signature", lambda site: signed(site, {}, unsigned)),
    "a signature of zeros": ("bad_signature", lambda site: signed(site, {}, lambda _: bytes(64))),
    "half a signature": ("bad_signature", lambda site: changed(site, 2, lambda text: text[:43])),
    "another payload": ("bad_signature", lambda site: changed(site, 1, lambda _: encode(b'{"sub":"admin"}'))),
    "another header": (
        "bad_signature",
        lambda site: changed(
            site, 0, lambda _: encode(json.dumps({"alg": "ES256", "kid": site.parts.keys.keyring.signer.kid}).encode())
        ),
    ),
    "expired": ("expired", lambda site: signed(site, exp=soon(site, -62))),
    "not yet valid": ("not_yet_valid", lambda site: signed(site, nbf=soon(site, 65), exp=soon(site, 600))),
    "another audience": ("wrong_audience", lambda site: signed(site, aud="harbor-registry")),
    "several audiences": ("wrong_audience", lambda site: signed(site, aud=["mooring", "harbor-registry"])),
    "no audience": ("wrong_audience", lambda site: signed(site, aud=None)),
    "another issuer": ("wrong_issuer", lambda site: signed(site, iss="harbor-token-issuer")),
    "no issuer": ("wrong_issuer", lambda site: signed(site, iss=None)),
    "no expiry": ("malformed", lambda site: signed(site, exp=None)),
    "an expiry that is no number": ("malformed", lambda site: signed(site, exp="tomorrow")),
    "no nbf": ("malformed", lambda site: signed(site, nbf=None)),
    "no access": ("malformed", lambda site: signed(site, access=None)),
    "access that is no list": ("malformed", lambda site: signed(site, access=7)),
    "access without actions": ("malformed", lambda site: signed(site, access=[{"type": "repository", "name": "a/b"}])),
    "no subject": ("malformed", lambda site: signed(site, mooring=None)),
    "a critical extension": ("malformed", lambda site: signed(site, {"crit": ["urn:x"], "urn:x": 1})),
    "claims that are no object": (
        "malformed",
        lambda site: compact(
            {"alg": "ES256", "kid": site.parts.keys.keyring.signer.kid},
            b"[]",
            es256(private_key(site.parts.keys.keyring.signer)),
        ),
    ),
    "claims that are no JSON": (
        "malformed",
        lambda site: compact(
            {"alg": "ES256", "kid": site.parts.keys.keyring.signer.kid},
            b"\xff",
            es256(private_key(site.parts.keys.keyring.signer)),
        ),
    ),
    "nothing": ("malformed", lambda _: ""),
    "one word": ("malformed", lambda _: "word"),
    "two parts": ("malformed", lambda site: signed(site).rpartition(".")[0]),
    "four parts": ("malformed", lambda site: signed(site) + ".x"),
    "five parts, as an encrypted one": ("malformed", lambda site: signed(site) + ".x.y"),
    "a header that is no object": ("malformed", lambda _: compact(b'["kid"]', b"{}", unsigned)),
    "a header that is text": ("malformed", lambda _: compact(b'"kid"', b"{}", unsigned)),
    "a deep header": ("malformed", lambda _: compact(b"[" * 11_000, b"{}", unsigned)),
    "not base64": ("malformed", lambda site: "\u00e9" + signed(site)),
    "a token of 17 KiB": ("malformed", lambda site: signed(site, jti="x" * 13_000)),
    "a header of 30 KiB": ("malformed", lambda site: signed(site, jti="x" * 23_000)),
}


def test_a_right_one_made_the_same_way_passes(site: Site) -> None:
    """What the tests below change is then what is refused."""
    assert site.ask("GET", MANIFEST, [bearer(signed(site))]).status == 200


@pytest.mark.parametrize("path", [MANIFEST, "/v2/", "/v2/_catalog", "/v2/open/app/manifests/latest"])
@pytest.mark.parametrize("name", FORGED)
def test_a_wrong_one_is_refused_with_its_reason(site: Site, name: str, path: str) -> None:
    reason, forge = FORGED[name]
    reply = site.ask("GET", path, [bearer(forge(site))])
    assert (reply.status, reply.reason) == (401, reason)
    assert parameters(reply.challenge)["error"] == "invalid_token"
    assert reply.error["detail"]["request_id"] == reply.header("x-request-id")


@pytest.mark.parametrize("seconds", [-58, 58])
def test_a_minute_of_leeway(site: Site, seconds: int) -> None:
    late: dict[str, Any] = {"exp" if seconds < 0 else "nbf": soon(site, seconds)}
    assert site.ask("GET", MANIFEST, [bearer(signed(site, **late))]).status == 200


def test_a_token_that_was_accepted_still_expires(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    token = bearer(signed(site, exp=soon(site, 5)))
    assert site.ask("GET", MANIFEST, [token]).status == 200
    clock, later = type(site.parts.clock), site.now + 70_000_000
    monkeypatch.setattr(clock, "now", lambda _: later)
    assert site.ask("GET", MANIFEST, [token]).reason == "expired"


def test_several_authorization_headers(site: Site) -> None:
    """Which of them a proxy looked at is anybody's guess (project-zot/zot refuses them too)."""
    good, password = bearer(signed(site)), basic("admin", "Harbour-Master-1")
    for headers in ([good, good], [good, password], [password, good], [password, password]):
        for path in (MANIFEST, "/v2/"):
            reply = site.ask("GET", path, headers)
            assert (reply.status, reply.reason) == (401, "malformed")
            assert parameters(reply.challenge)["error"] == "invalid_token"
        reply = site.ask("GET", "/service/token", headers)
        assert (reply.status, reply.reason) == (401, "malformed")


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic", "Basic ", "Digest username=x", "x" * 30_000])
def test_a_header_that_is_neither(site: Site, value: str) -> None:
    for path in (MANIFEST, "/v2/", "/service/token"):
        reply = site.ask("GET", path, [("authorization", value)])
        assert (reply.status, reply.reason) == (401, "malformed"), path


def test_schemes_are_case_insensitive(site: Site) -> None:
    name, value = basic("admin", "Harbour-Master-1")
    assert site.ask("GET", MANIFEST, [(name, value.replace("Basic", "bAsIc"))]).status == 200
    assert site.ask("GET", MANIFEST, [("authorization", f"BEARER {signed(site)}")]).status == 200


def test_a_key_that_is_only_pending_verifies(site: Site) -> None:
    """Another replica may already have moved it on: what is in the keyring verifies, whatever its state."""
    kid = site.write(keyring.create, site.parts.master_key, site.now)
    site.run(site.parts.keys.reload())
    key = site.parts.keys.keyring.keys[kid]
    assert key.state == "pending"
    token = signed(site, {"kid": kid}, es256(private_key(key)))
    assert site.ask("GET", MANIFEST, [bearer(token)]).status == 200


def test_a_token_grants_what_it_names_and_nothing_beside(stage: Stage) -> None:
    site = stage.site
    for access in (
        [],
        [{"type": "repository", "name": "closed/app2", "actions": ["pull"]}],
        [{"type": "repository", "name": "closed", "actions": ["pull"]}],
        [{"type": "repository", "name": "closed/", "actions": ["pull"]}],
        [{"type": "repository", "name": "closed/*", "actions": ["pull"]}],
        [{"type": "repository", "name": "closed/app", "actions": []}],
        [{"type": "repository", "name": "closed/app", "actions": ["*"]}],
        [{"type": "repository", "name": "closed/app", "actions": ["push"]}],
        [{"type": "registry", "name": "closed/app", "actions": ["pull"]}],
    ):
        reply = site.ask("GET", MANIFEST, [bearer(signed(site, access=access))])
        assert (reply.status, reply.reason) == (401, "no_permission"), access
        assert parameters(reply.challenge)["error"] == "insufficient_scope"


@pytest.mark.parametrize(
    "access",
    [
        [{"type": "registry", "name": "other", "actions": ["*"]}],
        [{"type": "registry", "name": "catalog", "actions": []}],
        [{"type": "repository", "name": "catalog", "actions": ["*"]}],
    ],
)
def test_the_catalogue_wants_its_own_scope(site: Site, access: list[dict[str, Any]]) -> None:
    reply = site.ask("GET", "/v2/_catalog", [bearer(signed(site, access=access))])
    assert (reply.status, reply.reason) == (401, "no_permission")
    assert parameters(reply.challenge)["scope"] == "registry:catalog:*"
