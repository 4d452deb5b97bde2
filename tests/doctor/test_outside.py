"""Each cause is named from outside, and nothing is named that is not there."""

import json
import re
from collections.abc import Mapping
from typing import Final

import pytest

from mooring.doctor.bundle import decode, encode
from mooring.doctor.examination import Diagnosis, diagnose
from mooring.doctor.observations import Answer, Asked, Door, Grant, Info, Observations, Token
from mooring.doctor.report import page, text
from mooring.doctor.report.document import document
from mooring.doctor.texts import Language
from tests.doctor.harbor import ADMIN, ROBOT
from tests.doctor.scenarios import SCENARIOS, Scenario
from tests.doctor.table import Run, evidence, outside

LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")


@pytest.fixture(scope="module")
def runs() -> Mapping[str, Run]:
    return outside()


def causes(diagnosis: Diagnosis) -> set[str]:
    return {finding.cause or "?" for finding in diagnosis.findings}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_names_the_cause_and_no_other(scenario: Scenario, runs: Mapping[str, Run]) -> None:
    found = runs[scenario.name]
    shown = [
        (finding.cause, finding.title.en, [text.en for text in finding.evidence])
        for finding in found.diagnosis.findings
    ]
    assert causes(found.diagnosis) == set(scenario.causes.split()), shown
    assert bool(found.uploads_left) == scenario.uploads_left, "an upload that was opened was not cancelled"


def test_keeps_no_secret(runs: Mapping[str, Run]) -> None:
    """Neither a report of any form nor the bundle has a password or a token."""
    for scenario in SCENARIOS:
        diagnosis = runs[scenario.name].diagnosis
        kept = [encode(diagnosis.seen).decode()]
        for language in LANGUAGES:
            report = document(diagnosis, language)
            kept += [json.dumps(report), text.rendered(report, language), page.rendered(report, language)]
        for form in kept:
            for _, password in (ADMIN, ROBOT):
                assert password not in form
            assert not re.search(r"eyJ|Basic [A-Za-z0-9+/]{8}", form), scenario.name


def test_a_report_in_chinese_has_no_sentence_left_in_english(runs: Mapping[str, Run]) -> None:
    """Evidence may quote; what the doctor itself says is told."""
    for scenario in SCENARIOS:
        report = document(runs[scenario.name].diagnosis, "zh")
        told = [finding[part] for finding in report["findings"] for part in ("title", "remedy")]
        told += [check["question"] for check in report["checks"]]
        told += [need for check in report["checks"] for need in check["needs"] if not need.startswith("--")]
        told += [gap["why"] for gap in report["gaps"]]
        assert not [each for each in told if not re.search("[\u4e00-\u9fff]", each)], scenario.name


def test_a_page_asks_nobody_for_anything(runs: Mapping[str, Run]) -> None:
    """One file, without a script, a style sheet, an image or a font from elsewhere."""
    for found in runs.values():
        shown = page.rendered(document(found.diagnosis, "en"), "en")
        assert not re.search(r"<(script|link|img|iframe|object|embed|base|form)\b|@import|url\(|\s(src|href)=", shown)


def test_a_bundle_is_diagnosed_alike(runs: Mapping[str, Run]) -> None:
    for found in runs.values():
        assert diagnose(decode(encode(found.diagnosis.seen))) == found.diagnosis


@pytest.mark.parametrize(("release", "named"), [("v2.10.3", {"RC12"}), ("v2.11.0", set())])
def test_a_harbor_before_2_11_forgives_no_late_token(release: str, named: set[str]) -> None:
    token = Token("key", "RS256", "harbor-token-issuer", "dev1", 1000, 1000, 2800, {})
    good = Answer(200, 0.1, 1000.5)
    door = Door("core 1", "http://core", True, good, info=Info(version=release), logins=(Grant(good, token),))
    asked = Asked("http://core", "library/app", (door,), longest_upload_seconds=1830)
    assert causes(diagnose(Observations(made_at=1000, tool="test", target="harbor", asked=asked))) == named


def test_prints_what_was_named(runs: Mapping[str, Run], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print()
        for scenario in SCENARIOS:
            found = runs[scenario.name]
            named = ", ".join(sorted(causes(found.diagnosis))) or "nothing"
            print(f"{scenario.name:58} {named:14} {found.seconds:5.1f} s  {evidence(found.diagnosis)}")
    assert {f"RC{number}" for number in range(1, 25)} - {"RC15", "RC17", "RC19"} <= {
        cause for found in runs.values() for cause in causes(found.diagnosis)
    }
