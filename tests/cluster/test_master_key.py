"""The master key: made once, never replaced in silence, and a wrong one found before it does harm."""

import base64
import secrets
from pathlib import Path

import pytest

from mooring.cluster.master_key import MasterKey, master_key
from mooring.errors import ConfigurationError
from mooring.settings import load


def key() -> MasterKey:
    return MasterKey(secrets.token_bytes(32))


def test_what_was_sealed_can_be_opened() -> None:
    sealing = key()
    assert sealing.open(sealing.seal(b"secret", "purpose"), "purpose") == b"secret"


def test_another_key_opens_nothing() -> None:
    with pytest.raises(ConfigurationError, match="not the one"):
        key().open(key().seal(b"secret", "purpose"), "purpose")


def test_another_purpose_opens_nothing() -> None:
    sealing = key()
    with pytest.raises(ConfigurationError):
        sealing.open(sealing.seal(b"secret", "signing key a"), "signing key b")


def test_a_changed_byte_is_noticed() -> None:
    sealing = key()
    sealed = bytearray(sealing.seal(b"secret", "purpose"))
    sealed[-1] ^= 1
    with pytest.raises(ConfigurationError):
        sealing.open(bytes(sealed), "purpose")


def test_the_check_value_tells_a_wrong_key() -> None:
    right, wrong = key(), key()
    right.require(right.check_value())
    with pytest.raises(ConfigurationError):
        wrong.require(right.check_value())


def test_it_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    settings = load(data=tmp_path)
    first = master_key(settings, create=True)
    again = master_key(settings, create=True)
    again.require(first.check_value())
    assert (tmp_path / "master.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["master.key"]


def test_a_missing_key_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read"):
        master_key(load(data=tmp_path), create=False)
    assert not list(tmp_path.iterdir())


def test_with_the_previous_one_what_either_sealed_can_be_opened() -> None:
    old, new = secrets.token_bytes(32), secrets.token_bytes(32)
    both = MasterKey(new, old)
    for sealing in (MasterKey(old), MasterKey(new), both):
        assert both.open(sealing.seal(b"secret", "purpose"), "purpose") == b"secret"
    with pytest.raises(ConfigurationError):
        MasterKey(old).open(both.seal(b"secret", "purpose"), "purpose")


def test_the_one_to_seal_with_is_the_one_that_made_the_check_value() -> None:
    old, new = secrets.token_bytes(32), secrets.token_bytes(32)
    both = MasterKey(new, old)
    for single in (MasterKey(old), MasterKey(new)):
        assert both.matching(single.check_value()).fingerprints == single.fingerprints
    with pytest.raises(ConfigurationError, match="while it is being replaced"):
        both.matching(key().check_value())


def test_the_previous_one_can_be_given_as_a_variable_or_a_file(tmp_path: Path) -> None:
    text, previous = (base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2))
    (tmp_path / "previous").write_text(previous + "\n")
    by_variable = master_key(load(master_key=text, master_key_previous=previous), create=False)
    by_file = master_key(load(master_key=text, master_key_previous_file=tmp_path / "previous"), create=False)
    assert by_variable.fingerprints == by_file.fingerprints
    assert len(set(by_file.fingerprints)) == 2
    assert master_key(load(master_key=text, master_key_previous=text), create=False).replaces is False
    with pytest.raises(ConfigurationError, match="MOORING_MASTER_KEY_PREVIOUS_FILE, not both"):
        master_key(load(master_key=text, master_key_previous=previous, master_key_previous_file=tmp_path), create=False)


@pytest.mark.parametrize("text", ["", "not base64!", base64.b64encode(b"short").decode()])
def test_a_damaged_key_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "master.key").write_text(text)
    with pytest.raises(ConfigurationError, match=r"master\.key"):
        master_key(load(data=tmp_path), create=False)


def test_it_can_be_given_as_a_variable_or_a_file(tmp_path: Path) -> None:
    text = base64.b64encode(secrets.token_bytes(32)).decode()
    (tmp_path / "given").write_text(text + "\n")
    by_variable = master_key(load(master_key=text), create=False)
    by_file = master_key(load(master_key_file=tmp_path / "given"), create=False)
    by_file.require(by_variable.check_value())


def test_it_is_not_given_twice(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not both"):
        master_key(load(master_key="x", master_key_file=tmp_path), create=False)


def test_a_message_never_shows_it(tmp_path: Path) -> None:
    text = base64.b64encode(b"thirty-one bytes are not enough").decode()
    with pytest.raises(ConfigurationError) as caught:
        master_key(load(master_key=text), create=False)
    assert text not in str(caught.value)
