"""Each cause has its place in the documentation, where reports send their readers."""

import pytest

from mooring.doctor.causes import ALL, Cause
from mooring.doctor.checks.catalogue import CHECKS
from tests.docs.pages import page

each_cause = pytest.mark.parametrize("cause", ALL, ids=lambda cause: cause.id)


@each_cause
def test_cause_is_described(cause: Cause) -> None:
    section = page("docs/doctor.md").sections[cause.id.lower()]
    assert f"{cause.title.en}." in section
    assert cause.remedy.en in section
    assert "| from outside | " in section
    assert "| from inside | " in section


def test_checks_name_known_causes() -> None:
    known = {cause.id for cause in ALL}
    assert {cause for check in CHECKS for cause in check.causes} <= known
    assert [cause.id for cause in ALL] == [f"RC{number}" for number in range(1, 25)]


@each_cause
def test_cause_is_told_in_chinese(cause: Cause) -> None:
    for text in (cause.title, cause.remedy):
        assert any("\u4e00" <= letter <= "\u9fff" for letter in text.zh)
