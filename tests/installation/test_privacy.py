"""What a first start makes is nobody else's business: the database has password hashes, the store has images."""

import stat
from pathlib import Path

from mooring.installation import held, install
from mooring.settings import load


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_other_users_of_the_machine_see_nothing(tmp_path: Path) -> None:
    settings = load(data=tmp_path / "var" / "data")
    with held(settings):
        install(settings)
    assert mode(settings.data) == 0o700
    assert mode(settings.data / "master.key") == 0o600


def test_a_directory_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o750)
    settings = load(data=tmp_path / "data")
    with held(settings):
        install(settings)
    assert mode(settings.data) == 0o750
