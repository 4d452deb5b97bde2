"""Replicas of a Mooring that disagree, by what each said of itself."""

import time
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from typing import Any, Final

import pytest

from mooring.doctor.bundle import decode, encode
from mooring.doctor.census import Census, Member, Queue, Refusals
from mooring.doctor.checks.catalogue import CHECKS
from mooring.doctor.examination import diagnose
from mooring.doctor.findings import Finding
from mooring.doctor.observations import Installation, Observations, StoreFault, StoreLook
from mooring.doctor.report import page, text
from mooring.doctor.report.document import document

SETTINGS: Final = {"external_url": "https://registry.example", "token_life_seconds": "300"}
ONE: Final = Member(
    name="one/10-aaa",
    role="server",
    host="host1",
    version="1.0",
    schema="0008",
    alive=True,
    ready=True,
    started_at="2026-11-01T00:00:00.000Z",
    seen_seconds_ago=2,
    keys=("k1", "k2"),
    configuration_version=3,
    settings=SETTINGS,
    clock_offset_seconds=0.2,
    clock_error_seconds=0.001,
)
TWO: Final = replace(ONE, name="two/11-bbb", host="host2")
SOUND: Final = Census(
    made_at="2026-11-01T00:10:00.000Z",
    configuration_version=3,
    configuration_seconds_old=500,
    collection_interval_seconds=60,
    replicas=(ONE, TWO),
    queues=(Queue("reviews", 0, 0), Queue("removals", 3, 20)),
    refusals=(Refusals("bad_credentials", 4, 1, 2, 0, "2026-11-01T00:09:00.000Z"),),
)


def two(**changed: Any) -> Census:
    return replace(SOUND, replicas=(ONE, replace(TWO, **changed)))


def refused(reason: str, count: int) -> Census:
    return replace(SOUND, refusals=(Refusals(reason, count, 2, 1, 1, "2026-11-01T00:09:00.000Z"),))


BROKEN: Final = {
    "sound": (SOUND, ""),
    "not ready": (two(ready=False, failed={"store": "no answer"}), "The replica two/11-bbb is not ready"),
    "gone": (two(alive=False, ready=False, seen_seconds_ago=300), "Replicas went without saying so"),
    "gone, and come again": (two(name="one/9-zzz", alive=False, seen_seconds_ago=300), ""),
    "another version": (two(version="1.1"), "Replicas of different versions serve together"),
    "a migration left": (replace(SOUND, schema_pending=("0009",)), "A migration is left to be applied"),
    "old configuration": (two(configuration_version=2), "Replicas have not taken up the newest configuration"),
    "old configuration, just changed": (
        replace(two(configuration_version=2), configuration_seconds_old=3),
        "",
    ),
    "another setting": (
        two(settings={**SETTINGS, "external_url": "http://registry.example"}),
        "The setting external_url differs between replicas",
    ),
    "another setting, but one for all is kept": (
        replace(two(settings={**SETTINGS, "external_url": "x"}), configuration=("external_url",)),
        "",
    ),
    "a version that does not know a setting": (two(settings={"external_url": "https://registry.example"}), ""),
    "a key short": (two(keys=("k1",)), "Replicas hold different signing keys"),
    "clock": (two(clock_offset_seconds=-4000), "The clocks of replicas are wrong"),
    "slow database": (two(clock_error_seconds=2.5), "The database answers replicas slowly"),
    "work waits": (replace(SOUND, queues=(Queue("reviews", 70, 7200),)), "Work of the cluster waits"),
    "work waits, and is turned off": (
        replace(SOUND, queues=(Queue("reviews", 70, 7200),), collection=False),
        "",
    ),
    "foreign tokens": (
        refused("unknown_kid", 40),
        "Tokens of another registry, or of keys that are gone, are shown here",
    ),
    "few foreign tokens": (refused("unknown_kid", 3), ""),
    "early tokens": (refused("not_yet_valid", 1), "Tokens were refused as not valid yet"),
    "guessing": (refused("bad_credentials", 900), "Wrong passwords come again and again"),
}


def seen(census: Census, store: StoreLook | None = None) -> Observations:
    return Observations(
        made_at=time.time(),
        tool="test",
        target="here",
        installation=Installation(census, store or StoreLook("sample", 9)),
    )


@pytest.mark.parametrize("name", BROKEN)
def test_names_what_is_apart_and_nothing_else(name: str) -> None:
    census, title = BROKEN[name]
    found = diagnose(decode(encode(seen(census))))
    assert [finding.title.en for finding in found.findings] == ([title] if title else [])
    assert not any(looked.broken for looked in found.looked)


def test_the_store_lacks_a_blob() -> None:
    fault = StoreFault("wrong_blob", "sha256:abc", "the store does not have it; needed by team/app:1")
    (finding,) = diagnose(seen(SOUND, StoreLook("sizes", 12, (fault,), 1))).findings
    assert finding.title.en == "The store lacks bytes that the index names"
    assert finding.evidence[1].en == f"{fault.what}: {fault.text}"


@pytest.mark.parametrize("rendered", [text.rendered, page.rendered], ids=["text", "html"])
def test_a_check_that_fails_hides_nothing_that_others_find(rendered: Callable[..., str]) -> None:
    def fails(_: Observations) -> list[Finding]:
        raise KeyError("kid")

    failing = replace(next(check for check in CHECKS if check.id == "replica-keys"), find=fails)
    checks = [failing if check.id == failing.id else check for check in CHECKS]
    diagnosis = diagnose(seen(two(version="1.1")), checks)
    assert [finding.title.en for finding in diagnosis.findings] == ["Replicas of different versions serve together"]
    assert "could not be judged: KeyError: 'kid'" in unescape(rendered(document(diagnosis, "en"), "en"))


@pytest.mark.parametrize("rendered", [text.rendered, page.rendered], ids=["text", "html"])
def test_refusals_of_the_last_day_are_told(rendered: Callable[..., str]) -> None:
    """Also where they are nothing to worry about: it is what an operator looks for first."""
    diagnosis = diagnose(seen(SOUND))
    assert diagnosis.findings == ()
    assert "bad_credentials: 4 times in the last day" in rendered(document(diagnosis, "en"), "en")
    assert "at 1 replica, of 2 accounts, in 0 repositories, last at" in rendered(document(diagnosis, "en"), "en")
    assert "bad_credentials：最近一天 4 次" in rendered(document(diagnosis, "zh"), "zh")
