"""Whatever comes in, a parser answers or raises a MooringError, and what it lets through is what it says it is."""

import base64
import json
import re
from collections.abc import Callable
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from starlette.requests import Request

from mooring.access import tokens
from mooring.access.caller import decode_basic
from mooring.access.scopes import LONGEST, MOST, parse_scopes
from mooring.errors import MooringError
from mooring.http.body import content_length
from mooring.http.edge import family
from mooring.refusals import Refused
from mooring.registry.digests import parse_digest, require_algorithm
from mooring.registry.endpoints.ranges import parse_chunk, parse_range
from mooring.registry.manifests import INDEXES, MEDIA_TYPES, parse_manifest
from mooring.registry.names import require_repository, require_tag
from tests.fuzz.bounds import bounded

TEXT = st.text(st.characters(codec=None), max_size=300) | st.text("ab/:.-_+@%#?*,= \0\n\u00e9", max_size=300)
DIGESTS = st.sampled_from(["sha256", "sha512", "md5", ""]).flatmap(
    lambda name: st.text("0123456789abcdefABCDEFg", max_size=130).map(lambda text: f"{name}:{text}")
) | st.builds(lambda size: f"sha256:{'a' * size}", st.integers(60, 66))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
DESCRIPTORS = st.fixed_dictionaries(
    {},
    optional={
        "mediaType": st.sampled_from(sorted(MEDIA_TYPES)) | JSON,
        "digest": DIGESTS | JSON,
        "size": st.integers() | JSON,
        "annotations": JSON,
        "platform": JSON,
        "urls": JSON,
        "data": JSON,
    },
)
MANIFESTS = st.fixed_dictionaries(
    {"schemaVersion": st.just(2) | JSON},
    optional={
        "mediaType": st.sampled_from(sorted(MEDIA_TYPES)) | JSON,
        "config": DESCRIPTORS | JSON,
        "layers": st.lists(DESCRIPTORS | JSON, max_size=4) | JSON,
        "blobs": st.lists(DESCRIPTORS, max_size=2) | JSON,
        "manifests": st.lists(DESCRIPTORS, max_size=4) | JSON,
        "subject": DESCRIPTORS | JSON,
        "annotations": st.dictionaries(TEXT, TEXT, max_size=3) | JSON,
        "artifactType": TEXT | JSON,
    },
)


def answer(parse: Callable[..., Any], *arguments: Any) -> Any:
    """What it makes of them; None for what it refuses. Anything but a MooringError of a 4xx fails."""
    try:
        return parse(*arguments)
    except MooringError as error:
        status = error.answer_status if isinstance(error, Refused) else error.status
    assert 400 <= status < 500
    return None


@bounded(400)
@given(st.binary(max_size=600), TEXT | st.sampled_from(sorted(MEDIA_TYPES)) | st.none())
@example(b"[" * 100_000, None)
@example(b'{"a":' * 50_000, None)
@example(b'{"schemaVersion":2e0}', None)
@example(b'{"schemaVersion":1e999}', None)
@example(b'{"schemaVersion":' + b"9" * 5000 + b"}", None)
@example(b'{"schemaVersion":2,"mediaType":"\\ud800"}', None)
@example(b"\xef\xbb\xbf{}", None)
def test_manifests_of_any_bytes(body: bytes, content_type: str | None) -> None:
    answer(parse_manifest, body, content_type)


@bounded(600)
@given(MANIFESTS | JSON, st.sampled_from([*sorted(MEDIA_TYPES), None]), st.booleans())
def test_manifests_of_any_shape(document: Any, content_type: str | None, escaped: bool) -> None:
    body = json.dumps(document, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    found = answer(parse_manifest, body, content_type)
    if found is None:
        return
    assert found.media_type in MEDIA_TYPES
    assert not (found.media_type in INDEXES and ("layers" in document or "config" in document))
    digests = [reference.digest for reference in found.references]
    assert len(digests) == len(set(digests))
    assert all(str(parse_digest(digest)) == digest for digest in digests)
    assert all(0 <= reference.size < 2**63 for reference in found.references)
    json.dumps({"annotations": dict(found.annotations), "type": found.artifact_type}).encode()
    f"{found.artifact_type}{found.config_media_type}{dict(found.annotations)}".encode()  # a database takes no surrogate


@bounded(400)
@given(TEXT | DIGESTS)
def test_digests(text: str) -> None:
    found = answer(parse_digest, text)
    assert (found is not None) == (re.fullmatch("sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", text) is not None)
    assert found is None or str(found) == text
    assert answer(require_algorithm, text) in {None, "sha256", "sha512"}


@bounded(400)
@given(TEXT | st.text("ab0/._-", max_size=280))
def test_names(text: str) -> None:
    name = answer(require_repository, text)
    assert name in {None, text}
    if name is not None:
        assert re.fullmatch(r"[a-z0-9._/-]+", name)
        assert not {"", ".", ".."} & set(name.split("/"))
    tag = answer(require_tag, text)
    assert (tag is not None) == (re.fullmatch(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", text) is not None)


@bounded(600)
@given(
    TEXT
    | st.builds("bytes={}-{}".format, st.integers() | st.just(""), st.integers(0) | st.just(""))
    | st.text("bytes=0123456789-, ", max_size=60),
    st.integers(1, 2**62),
)
@example("bytes=" + "9" * 5000 + "-", 1)
@example("bytes=\u0663-\u0669", 100)  # digits, but not of ASCII
@example("bytes=--1", 5)
def test_ranges(header: str, size: int) -> None:
    part = answer(parse_range, header, size)
    assert part is None or 0 <= part.start <= part.end < size
    chunk = answer(parse_chunk, header)
    assert chunk is None or 0 <= chunk.start <= chunk.end


@bounded(400)
@given(st.lists(TEXT | st.text("repository:ab/,*()pulshde ", max_size=200), max_size=80))
def test_scopes(values: list[str]) -> None:
    found = answer(parse_scopes, values)
    assert len(found) <= MOST
    assert sum(len(str(scope)) for scope in found) <= LONGEST + 2 * MOST
    assert len({(scope.type, scope.name) for scope in found}) == len(found)
    json.dumps([scope.claim() for scope in found]).encode()


@bounded(400)
@given(TEXT | st.binary(max_size=200).map(lambda raw: base64.b64encode(raw).decode()))
@example("=" * 1000)
def test_basic(value: str) -> None:
    found = answer(decode_basic, value)
    assert found is None or ":" not in found[0]


@bounded(400)
@given(
    TEXT
    | st.lists(st.binary(max_size=80) | JSON.map(lambda item: json.dumps(item).encode()), max_size=6).map(
        lambda parts: ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    )
)
def test_key_ids(token: str) -> None:
    assert isinstance(answer(tokens.key_id, token), str | None)


@bounded(200)
@given(st.binary(max_size=40) | st.integers().map(lambda number: str(number).encode()))
def test_content_lengths(value: bytes) -> None:
    request = Request({"type": "http", "headers": [(b"content-length", value)]})
    found = answer(content_length, request)
    assert found is None or 0 <= found < 10**18


@bounded(200)
@given(TEXT)
def test_paths_make_few_labels(path: str) -> None:
    labels = {"v2", "manifests", "blobs", "tags", "referrers", "api", "token", "other"}
    assert family(path) in labels
    assert family(f"/v2/{path}") in labels
