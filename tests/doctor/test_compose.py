"""The same Harbor by its installer's directories: each cause is named, and nothing that is not there."""

import asyncio
import json
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from mooring.cli.main import application
from mooring.doctor import bundle
from mooring.doctor.examination import Diagnosis, diagnose
from mooring.doctor.gathering import Wanted, gather, joined
from mooring.doctor.inside.components import component, version
from mooring.doctor.inside.keyfile import judged
from mooring.doctor.inside.marks import Marker
from mooring.errors import ConfigurationError
from tests.doctor.composed import REDIS_PASSWORD, REGISTRY_PASSWORD, SECRETS, Node, nodes
from tests.doctor.harbor import Key, make_key

KEY, OTHER = make_key(), make_key()

Break = Callable[[Node, Node], None]


def sound(_first: Node, _second: Node) -> None: ...


def other_key(_: Node, second: Node) -> None:
    second.key = OTHER.pem()


def pkcs8_key(_: Node, second: Node) -> None:
    second.key = KEY.pem("pkcs8")


def damaged_key(_: Node, second: Node) -> None:
    second.key = KEY.pem()[:700]


def setting(name: str, value: str) -> Break:
    return lambda _, second: second.core.update({name: value})


def own_redis_and_database(first: Node, second: Node) -> None:
    for node in (first, second):
        node.own_database = node.own_redis = True
        node.core |= {"POSTGRESQL_HOST": "postgresql", "_REDIS_URL_CORE": "redis://redis:6379/0"}


def other_registry_password(_: Node, second: Node) -> None:
    second.registry_password = "written by another run of prepare"


def other_bucket(_: Node, second: Node) -> None:
    second.storage = {"s3": {"bucket": "other", "region": "eu-1"}}


def other_http_secret(_: Node, second: Node) -> None:
    second.http_secret = "another"


def other_job_secret(_: Node, second: Node) -> None:
    second.jobservice = {"JOBSERVICE_SECRET": "Another7another9"}


def long_secret_key(first: Node, second: Node) -> None:
    first.secret_key = second.secret_key = "seventeen letters"


def other_secret_key(_: Node, second: Node) -> None:
    second.secret_key = "another16letters"


def short_csrf_key(first: Node, second: Node) -> None:
    first.core["CSRF_KEY"] = second.core["CSRF_KEY"] = "short"


def other_version(_: Node, second: Node) -> None:
    second.version = "v2.15.1"


CASES: list[tuple[str, str, Break]] = [
    ("sound", "", sound),
    ("another key", "RC1", other_key),
    ("key in PKCS#8", "RC1", pkcs8_key),
    ("damaged key", "RC1", damaged_key),
    ("another Redis", "RC6 RC16", setting("_REDIS_URL_CORE", f"redis://:{REDIS_PASSWORD}@other.example:6379/0")),
    ("Redis and database of its own on each node", "RC6 RC8 RC16", own_redis_and_database),
    ("another database", "RC8", setting("POSTGRESQL_HOST", "other.example")),
    ("another registry password", "RC9", other_registry_password),
    ("another core credential", "RC9", setting("REGISTRY_CREDENTIAL_PASSWORD", "another")),
    ("external URL of another scheme", "RC10", setting("EXT_ENDPOINT", "http://harbor.example.com")),
    ("external URL of another host", "RC11", setting("EXT_ENDPOINT", "https://other.example.com")),
    ("another bucket", "RC14", other_bucket),
    ("another HTTP secret", "RC14", other_http_secret),
    ("another core secret", "RC15", setting("CORE_SECRET", "Another1another2")),
    ("another secret of the jobservice", "RC15", other_job_secret),
    ("another CSRF key", "RC16", setting("CSRF_KEY", "x" * 32)),
    ("CSRF key too short", "RC16", short_csrf_key),
    ("secretKey too long", "RC17", long_secret_key),
    ("another secretKey", "RC17", other_secret_key),
    ("proxy cache through another core", "RC19", setting("CORE_LOCAL_URL", "http://core:8080")),
    ("cache on one core only", "RC20", setting("CACHE_ENABLED", "true")),
    ("another version", "RC23", other_version),
]


def diagnosed(directory: Path, broken: Break, key: Key = KEY) -> Diagnosis:
    first, second = nodes(directory, key)
    # Both say whether they cache: a setting that one does not have is not a difference.
    first.core = {"CACHE_ENABLED": "false"}
    second.core = {"CACHE_ENABLED": "false"}
    broken(first, second)
    for node in (first, second):
        node.write()
    return diagnose(asyncio.run(gather(Wanted(directories=(first.directory, second.directory)))))


def causes(diagnosis: Diagnosis) -> set[str]:
    return {finding.cause or "?" for finding in diagnosis.findings}


@pytest.mark.parametrize(("name", "expected", "broken"), CASES, ids=[name for name, _, _ in CASES])
def test_names_the_cause_and_no_other(name: str, expected: str, broken: Break, tmp_path: Path) -> None:
    found = diagnosed(tmp_path, broken)
    assert causes(found) == set(expected.split()), found.findings
    kept = bundle.encode(found.seen).decode()
    for secret in (*SECRETS, "BEGIN", "another"):
        assert secret not in kept.replace("another.example", ""), secret
    assert diagnose(bundle.decode(kept.encode())).findings == found.findings


def test_the_key_is_named_as_in_tokens() -> None:
    assert judged("", KEY.pem()).kid == KEY.kid


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    for node in nodes(tmp_path, KEY):
        node.write()
    (tmp_path / "node2/data/secret/core/private_key.pem").unlink()
    seen = asyncio.run(gather(Wanted(directories=(tmp_path / "node1", tmp_path / "node2"))))
    assert causes(diagnose(seen)) == {"RC1"}


def test_a_file_of_this_machine_is_not_taken_for_two_nodes(tmp_path: Path) -> None:
    """Two directories that name /data/… on their own machines: here that is one file, of neither."""
    shared = tmp_path / "elsewhere/private_key.pem"
    shared.parent.mkdir()
    shared.write_bytes(KEY.pem())
    for node in nodes(tmp_path, KEY):
        node.write()
        path = node.directory / "docker-compose.yml"
        path.write_text(path.read_text().replace("/data/secret/core/private_key.pem", str(shared)))
    seen = asyncio.run(gather(Wanted(directories=(tmp_path / "node1", tmp_path / "node2"))))
    assert all(instance.token_key is None for instance in seen.instances)
    assert any(str(shared) in gap.what.en for gap in seen.gaps)


def test_several_cores_in_one_directory(tmp_path: Path) -> None:
    (node,) = nodes(tmp_path, KEY, 1)
    node.write()
    (node.directory / "second.pem").write_bytes(OTHER.pem())
    path = node.directory / "docker-compose.yml"
    declared = yaml.safe_load(path.read_text())
    declared["services"]["core2"] = dict(
        declared["services"]["core"], volumes=["./second.pem:/run/keys/token.pem:ro"],
        environment=["TOKEN_PRIVATE_KEY_PATH=/run/keys/token.pem"],
    )  # fmt: skip
    path.write_text(yaml.safe_dump(declared))
    found = diagnose(asyncio.run(gather(Wanted(directories=(node.directory,)))))
    assert causes(found) == {"RC1"}
    assert any("node1/core2" in text.en for text in found.findings[0].evidence)


@pytest.mark.parametrize(
    ("image", "found"),
    [
        ("goharbor/harbor-core:v2.15.2", ("core", "v2.15.2")),
        ("mirror.example:5000/goharbor/harbor-registryctl", ("registryctl", "")),
        ("mirror.example:5000/goharbor/registry-photon:v2.15.2@sha256:aa", ("registry", "v2.15.2@sha256:aa")),
        ("mirror.example/harbor-jobservice@sha256:aa", ("jobservice", "aa")),
        ("mirror.example/our-own", ("other", "")),
    ],
)
def test_an_image_says_what_it_is(image: str, found: tuple[str, str]) -> None:
    assert (component(image, "portal"), version(image)) == found


def test_what_is_no_harbor_is_said(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text("services: {web: {image: nginx}}")
    with pytest.raises(ConfigurationError, match="has no Harbor"):
        asyncio.run(gather(Wanted(directories=(tmp_path,))))


def test_a_bundle_is_examined_elsewhere(tmp_path: Path) -> None:
    first, second = nodes(tmp_path, KEY)
    other_key(first, second)
    for node in (first, second):
        node.write()
    file = tmp_path / "harbor.bundle"
    file.touch(mode=0o644)
    options = [option for node in (first, second) for option in ("--compose", str(node.directory))]
    done = CliRunner().invoke(application, ["doctor", "collect", str(file), *options])
    assert done.exit_code == 0, done.output
    assert file.stat().st_mode & 0o777 == 0o600
    done = CliRunner().invoke(application, ["doctor", "--bundle", str(file), "--output", "json"])
    assert done.exit_code == 1, done.output
    assert [finding["cause"] for finding in json.loads(done.output)["findings"]] == ["RC1"]


def collected(node: Node, marker: Marker, broken: Break = sound) -> Path:
    broken(node, node)
    node.write()
    file = node.directory / "bundle"
    bundle.write(file, asyncio.run(gather(Wanted(directories=(node.directory,), marker=marker))))
    return file


def test_bundles_of_two_nodes_compare_under_one_key(tmp_path: Path) -> None:
    marker = Marker()
    first, second = nodes(tmp_path, KEY)
    files = [collected(first, marker), collected(second, marker, setting("CORE_SECRET", "Another1another2"))]
    seen = joined([bundle.read(file) for file in files])
    assert causes(diagnose(seen)) == {"RC15"}


def test_bundles_under_two_keys_compare_what_is_no_secret(tmp_path: Path) -> None:
    first, second = nodes(tmp_path, KEY)
    files = [collected(first, Marker()), collected(second, Marker(), other_key)]
    seen = joined([bundle.read(file) for file in files])
    assert causes(diagnose(seen)) == {"RC1"}, "public halves compare, hashes of other keys do not"
    assert any("--key-file" in gap.why.en for gap in seen.gaps)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"format": "mooring-doctor-bundle", "version": 9}', b"\xff\xfe"])
def test_what_is_no_bundle_is_said(content: bytes) -> None:
    with pytest.raises(ConfigurationError):
        bundle.decode(content)


def test_the_fix_can_be_applied(tmp_path: Path) -> None:
    """A Secret with a key that Harbor can sign with, and values that name it."""
    (tmp_path / "key.pem").write_bytes(KEY.pem("pkcs8"))
    words = ["doctor", "fix", "harbor-token-key", "--from-file", str(tmp_path / "key.pem"), "--namespace", "registry"]
    done = CliRunner().invoke(application, words)
    assert done.exit_code == 0, done.output
    secret, values = yaml.safe_load_all(done.output)
    assert (secret["kind"], secret["metadata"]) == ("Secret", {"name": "harbor-token-key", "namespace": "registry"})
    assert values == {"core": {"secretName": "harbor-token-key"}}
    key = judged("tls.key", b64decode(secret["data"]["tls.key"]))
    assert (key.state, key.kid) == ("good", KEY.kid)
    assert b64decode(secret["data"]["tls.crt"]).startswith(b"-----BEGIN CERTIFICATE-----")


def test_passwords_of_addresses_are_not_shown() -> None:
    value = Marker().value("_REDIS_URL_CORE", f"redis://:{REDIS_PASSWORD}@redis:6379/0?idle_timeout_seconds=30")
    assert value.plain == "redis://redis:6379/0"
    assert REGISTRY_PASSWORD not in repr(Marker().value("REGISTRY_CREDENTIAL_PASSWORD", REGISTRY_PASSWORD))
