"""Lines of real logs are known, and lines that say nothing are not."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from mooring.doctor.examination import diagnose
from mooring.doctor.inside.logs import read, searched
from mooring.doctor.observations import Observations

STAMP = "2026-11-20T10:00:00Z"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJl"

LINES = {
    "RC1": [
        "[ERROR] [/pkg/token/token.go:80]: parse token error, token signature is invalid: crypto/rsa: verification error",
        "[ERROR] [/pkg/token/options.go:50]: failed to read private key open /etc/core/private_key.pem: no such file or directory",
        "[ERROR]: failed to get default options: invalid key: Key must be a PEM encoded PKCS1 or PKCS8 key",
        "[ERROR]: Unexpected error when creating the token, error: unable to get PrivateKey from PEM type: PRIVATE KEY",
    ],
    "RC2": ["[ERROR] [/pkg/token/token.go:80]: parse token error, token has invalid claims: token is not valid yet"],
    "RC3": ['[WARNING]: bearer token issued at 2026-11-20 is before project "library" creation time 2026-11-21, rejecting'],
    "RC4": ["[DEBUG] [/core/auth/authenticator.go:150]: dev1 is locked due to login failure, login failed"],
    "RC5": ['[ERROR]: LDAP Result Code 200 "Network Error": dial tcp 10.0.0.5:389: i/o timeout', "[ERROR]: failed to populate ldap group"],
    "RC6": ["[ERROR]: failed to set accepted blob size for session 1: dial tcp 10.0.0.6:6379: connect: connection refused"],
    "RC7": ["[ERROR]: pq: sorry, too many clients already", "[ERROR]: Failed to handle the resource repository: x, returning empty access for it"],
    "RC8": ["[ERROR]: ERROR: cannot execute INSERT in a read-only transaction (SQLSTATE 25006)"],
    "RC9": ['time="x" level=warning msg="error authenticating user \\"harbor_registry_user\\": authentication failure"'],
    "RC12": ["[ERROR] [/pkg/token/token.go:80]: parse token error, token has invalid claims: token is expired"],
    "RC13": ["[ERROR]: failed to get project nosuch for token validation: project nosuch not found"],
    "RC14": ['level=error msg="upload resumable state invalid" err.code="blob upload invalid" err.detail="invalid secret"'],
    "RC15": ["[ERROR]: the header of Authorization should start with 'Harbor-Secret': Authorization should start with 'Harbor-Secret'"],
    "RC17": ["[ERROR]: decrypt password failed, illegal base64 data at input byte 4", "[ERROR]: crypto/aes: invalid key size 17"],
    "RC18": ["[ERROR]: failed to authenticate robot account: robot$library+ci"],
    "RC19": ["[ERROR]: Failed to push blob to local repo, error: http status code: 401"],
    "RC23": ["goroutine 7 [running]: golang.org/x/crypto/pbkdf2.Key(...)"],
    "RC24": ["[ERROR]: dial tcp 10.0.0.9:5000: connect: cannot assign requested address"],
}  # fmt: skip

HARMLESS = [
    "[INFO] [/core/main.go:150]: Version: v2.15.2",
    "[WARNING]: Login failed, locking dev1, and sleep for 1.5s",
    "[ERROR]: failed to ping 10.0.0.1",
    'level=info msg="authorizing request" auth.user.name="harbor_registry_user"',
]


def found(lines: Sequence[str]) -> Observations:
    hits = searched("core", (line if line[:4].isdigit() else f"{STAMP} {line}" for line in lines))
    return Observations(made_at=0, tool="test", target="log", logs=tuple(hits), logs_read=("core",))


@pytest.mark.parametrize("cause", LINES)
def test_line_is_known(cause: str) -> None:
    for line in LINES[cause]:
        (finding,) = diagnose(found([*HARMLESS, line])).findings
        assert finding.cause == cause, line
        assert line[-40:] in finding.evidence[0].en


def test_nothing_is_made_of_lines_that_say_nothing() -> None:
    assert not diagnose(found(HARMLESS)).findings


def test_a_name_that_is_locked_again_and_again() -> None:
    line = "[WARNING] [/core/auth/authenticator.go:155]: Login failed, locking dev1, and sleep for 1.5s"
    assert [finding.cause for finding in diagnose(found([line] * 10)).findings] == ["RC4"]
    robot = line.replace("dev1", "robot$library+ci")
    assert [finding.cause for finding in diagnose(found([robot] * 3)).findings] == ["RC18"]
    different = [line.replace("dev1", f"dev{number}") for number in range(10)]
    assert not diagnose(found(different)).findings, "ten people who each mistyped a password once"


def test_expired_tokens_of_clocks_apart_are_the_clocks() -> None:
    assert [finding.cause for finding in diagnose(found(LINES["RC2"] + LINES["RC12"])).findings] == ["RC2"]


def test_only_the_last_day_counts() -> None:
    old = f"2026-11-01T00:00:00Z {LINES['RC1'][0]}"
    assert not diagnose(found([old, f"{STAMP} [INFO]: still here"])).findings
    assert diagnose(found([old])).findings, "the newest line of a log tells its day"


def test_no_secret_is_kept_of_a_line() -> None:
    secret = f"{LINES['RC1'][0]} Authorization: Bearer {TOKEN} dsn postgres://me:secret-1@db password=secret-2 x"
    (hit,) = found([secret]).logs
    assert "eyJ" not in hit.sample
    assert "secret-" not in hit.sample


def test_the_end_of_a_long_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "core.log"
    path.write_bytes(b"x" * (1 << 20) + b"\n" + "last \xff line".encode("latin-1") + b"\n")
    assert list(read(path))[-1].startswith("last ")
